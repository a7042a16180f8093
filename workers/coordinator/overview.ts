/** Training and models at a glance: the newest run that is not over, the newest on text, and the active model. */
import type { TrainingTotals } from "../../shared/contracts/overview.ts";
import type { RunTick } from "../../shared/contracts/runs.ts";

/** Runs that are looked through for the newest on text. */
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
  const active = models.find((model) => model.active);
  return {
    runs: runs.length,
    run,
    pretraining: pretraining !== null && isOnText(pretraining) ? pretraining : null,
    models: models.length,
    active:
      active === undefined
        ? null
        : { model: active.model, tokenizer: active.tokenizer, run: active.run, valLoss: active.valLoss, publishedAt: active.publishedAt },
  };
}
