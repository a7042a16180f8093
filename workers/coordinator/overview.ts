/**
 * Training and models in numbers, for the overview. `run` is the newest open run, or the newest run if none is open.
 * `pretraining` is the newest run that trains on text instead of lessons. `active` is the active model.
 */
import type { TrainingTotals } from "../../shared/contracts/overview.ts";
import type { RunTick } from "../../shared/contracts/runs.ts";

/** The most runs that are read to find the newest run on text. */
const MOST_RUNS_READ = 3;

const isOnText = ({ dataset }: RunTick) => dataset === null || dataset.kind === "pretrain";

export async function trainingTotals(env: CoordinatorEnv): Promise<TrainingTotals> {
  const registry = env.REGISTRY.getByName("registry");
  const [runs, open, models] = await Promise.all([registry.runs(), registry.runs("open"), registry.models()]);
  const newest = open.at(-1) ?? runs.at(-1);
  const run = newest === undefined ? null : await env.RUN.getByName(newest).tick();
  let pretraining = run;
  for (const id of runs.toReversed().slice(0, MOST_RUNS_READ)) {
    if (pretraining === null || isOnText(pretraining)) break;
    if (id !== newest) pretraining = await env.RUN.getByName(id).tick();
  }
  const active = models.find(({ kind, active: isActive }) => isActive && kind === "language");
  return {
    runs: runs.length,
    run,
    pretraining: pretraining !== null && isOnText(pretraining) ? pretraining : null,
    models: models.length,
    active:
      active === undefined || active.tokenizer === null
        ? null
        : { model: active.model, tokenizer: active.tokenizer, run: active.run, valLoss: active.valLoss, publishedAt: active.publishedAt },
  };
}
