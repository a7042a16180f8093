/** Knows whether the visitor is the operator, and signs the visitor in: by the link that `npm start` prints, or by the token. */
import { signal } from "@preact/signals";
import { useRef } from "preact/hooks";
import type { Session } from "../../../../shared/contracts/session.ts";
import { call } from "./api.ts";
import { RETRY_MS } from "./polling.ts";

/** Null until the gateway has answered. */
export const session = signal<Session | null>(null);
/** Why the gateway has not answered yet. */
export const sessionProblem = signal("");
const problem = signal("");

const CODE = /^#code=([\w.]+)$/;

/** Signs in with the code in the address, if there is one. Removes the code from the address and the browser's history. */
export async function findSession(): Promise<void> {
  const code = CODE.exec(location.hash)?.[1];
  if (code !== undefined) {
    history.replaceState(null, "", location.pathname + location.search);
    await signIn({ code });
    if (session.value !== null) return;
  }
  await look();
}

/** Asks the gateway, again and again until it answers. */
async function look(): Promise<void> {
  try {
    session.value = await call<Session>("GET", "/session");
    sessionProblem.value = "";
  } catch (error) {
    sessionProblem.value = (error as Error).message;
    setTimeout(look, RETRY_MS);
  }
}

async function signIn(proof: { code: string } | { token: string }): Promise<void> {
  try {
    session.value = await call<Session>("POST", "/session", proof);
    problem.value = "";
  } catch (error) {
    problem.value = (error as Error).message;
  }
}

async function signOut(): Promise<void> {
  session.value = await call<Session>("DELETE", "/session").catch(() => session.value);
}

export function SessionButton() {
  const dialog = useRef<HTMLDialogElement>(null);
  const token = useRef<HTMLInputElement>(null);
  if (session.value?.operator === true)
    return (
      <div class="session">
        <span class="chip">Operator</span>
        <button type="button" class="quiet" onClick={() => void signOut()}>
          Sign out
        </button>
      </div>
    );
  const submit = async (event: Event) => {
    event.preventDefault();
    await signIn({ token: token.current?.value ?? "" });
    if (session.value?.operator === true) dialog.current?.close();
  };
  return (
    <div class="session">
      <button type="button" class="quiet" onClick={() => dialog.current?.showModal()}>
        Sign in
      </button>
      <dialog ref={dialog} aria-labelledby="sign-in">
        <form onSubmit={(event) => void submit(event)}>
          <h2 id="sign-in">Sign in as the operator</h2>
          <p>
            Anyone may look and ask. Starting, stopping and deleting are the operator’s. <code>npm start</code> and <code>npm run dev</code>{" "}
            print a link that signs you in; or paste <code>OPERATOR_TOKEN</code> from the file <code>.dev.vars</code>.
          </p>
          <label htmlFor="token">Operator’s token</label>
          <input id="token" ref={token} type="password" autocomplete="current-password" required aria-describedby="sign-in-problem" />
          <p id="sign-in-problem" class="problem" role="alert">
            {problem}
          </p>
          <div class="buttons">
            <button type="submit">Sign in</button>
            <button type="button" class="quiet" onClick={() => dialog.current?.close()}>
              Cancel
            </button>
          </div>
        </form>
      </dialog>
    </div>
  );
}
