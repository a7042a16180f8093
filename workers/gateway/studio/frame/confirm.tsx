/** A button that opens a dialog. The dialog says what will happen and asks the reader to confirm. */
import type { ComponentChildren } from "preact";
import { useRef, useState } from "preact/hooks";

interface ConfirmProps {
  label: string;
  /** The text of the dialog: what will happen. */
  children: ComponentChildren;
  act: () => Promise<void>;
  isQuiet?: boolean;
}

let count = 0;

export function Confirm({ label, children, act, isQuiet = true }: ConfirmProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [problem, setProblem] = useState("");
  const [isBusy, setBusy] = useState(false);
  const [id] = useState(() => `confirm-${count++}`);
  const submit = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    try {
      await act();
      setProblem("");
      dialog.current?.close();
    } catch (error) {
      setProblem((error as Error).message);
    }
    setBusy(false);
  };
  return (
    <>
      <button type="button" class={isQuiet ? "quiet" : ""} onClick={() => dialog.current?.showModal()}>
        {label}
      </button>
      <dialog ref={dialog} aria-labelledby={id}>
        <form onSubmit={(event) => void submit(event)}>
          <h2 id={id}>{label}</h2>
          {children}
          <p class="problem" role="alert">
            {problem}
          </p>
          <div class="buttons">
            <button type="submit" disabled={isBusy}>
              {label}
            </button>
            <button type="button" class="quiet" onClick={() => dialog.current?.close()}>
              Cancel
            </button>
          </div>
        </form>
      </dialog>
    </>
  );
}
