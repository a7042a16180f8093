/** The operator's actions on a run. Each button opens a dialog that says what will happen. */
import { useRef } from "preact/hooks";
import type { BranchRequest, RunStatus, StartedRun } from "../../../../../shared/contracts/runs.ts";
import { setParameters } from "../../frame/address.ts";
import { call, send } from "../../frame/api.ts";
import { Confirm } from "../../frame/confirm.tsx";

const isOver = (state: RunStatus["state"]) => state === "done" || state === "failed";

export function Actions({ run, onChange }: { run: Pick<RunStatus, "id" | "state">; onChange: () => void }) {
  const { id, state } = run;
  const path = `/runs/${encodeURIComponent(id)}`;
  const post = (verb: string) => async () => {
    await send("POST", `${path}/${verb}`);
    onChange();
  };
  return (
    <div class="buttons">
      {(state === "training" || state === "evaluating") && (
        <Confirm label="Pause" act={post("pause")}>
          <p>No new tasks are given out. Tasks that trainers have are still taken; nothing is lost. Resume goes on from here.</p>
        </Confirm>
      )}
      {state === "paused" && (
        <Confirm label="Resume" act={post("resume")} isQuiet={false}>
          <p>Tasks are given out again, to every trainer.</p>
        </Confirm>
      )}
      {(state === "training" || state === "paused") && (
        <Confirm label="Stop" act={post("stop")}>
          <p>The last checkpoint is measured on validation text, published and made the active model. The run is then over.</p>
        </Confirm>
      )}
      {state !== "preparing" && <Branch id={id} onChange={onChange} />}
      {(isOver(state) || state === "paused") && (
        <Confirm
          label="Delete"
          act={async () => {
            await send("DELETE", path);
            setParameters({ run: null, from: null, to: null });
            onChange();
          }}
        >
          <p>The run goes with its curve and its checkpoints, for good. Models that it has published stay.</p>
        </Confirm>
      )}
    </div>
  );
}

function Branch({ id, onChange }: { id: string; onChange: () => void }) {
  const tokens = useRef<HTMLInputElement>(null);
  const scale = useRef<HTMLInputElement>(null);
  const act = async () => {
    const request: Partial<BranchRequest> = { lrScale: Number(scale.current?.value ?? 1) };
    const wanted = Number(tokens.current?.value ?? "");
    if (wanted > 0) request.tokens = wanted;
    const { run } = await call<StartedRun>("POST", `/runs/${encodeURIComponent(id)}/branch`, request);
    setParameters({ run, from: null, to: null }, true);
    onChange();
  };
  return (
    <Confirm label="Branch" act={act}>
      <p>A new run goes on from this run’s newest checkpoint. This run stays as it is.</p>
      <label>
        Tokens in all, with those so far (empty: as this run)
        <input ref={tokens} type="number" min="1" inputMode="numeric" />
      </label>
      <label>
        Factor on the learning rate
        <input ref={scale} type="number" min="0.01" max="100" step="any" defaultValue="1" required />
      </label>
    </Confirm>
  );
}

export function StartRun({ onChange }: { onChange: () => void }) {
  const preset = useRef<HTMLSelectElement>(null);
  const tokens = useRef<HTMLInputElement>(null);
  const act = async () => {
    const wanted = Number(tokens.current?.value ?? "");
    const request = { preset: preset.current?.value ?? "small", ...(wanted > 0 ? { tokens: wanted } : {}) };
    const { run } = await call<StartedRun>("POST", "/runs", request);
    setParameters({ run, from: null, to: null }, true);
    onChange();
  };
  return (
    <Confirm label="Start a run" act={act} isQuiet={false}>
      <p>
        The whole corpus as it is now becomes tokens, and a new model learns from them on all trainers. It is published when it is done.
      </p>
      <label>
        Size
        <select ref={preset}>
          <option value="tiny">tiny: seconds, to see it work</option>
          <option value="small" selected>
            small: minutes
          </option>
          <option value="base">base: hours</option>
        </select>
      </label>
      <label>
        Tokens to learn (empty: as the size suggests)
        <input ref={tokens} type="number" min="1" inputMode="numeric" />
      </label>
    </Confirm>
  );
}
