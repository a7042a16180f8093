/** Alignments from outside their Workflow: start, status, decisions, rollback. */
import {
  alignRequestSchema,
  type AlignRequest,
  type Alignment,
  type Decisions,
  type StartedAlignment,
} from "../../shared/contracts/alignments.ts";
import { namedError } from "../../shared/errors.ts";
import { createInstance, findInstance, UNFINISHED } from "../../shared/workflows.ts";
import type { LearningStore } from "./learning-store.ts";

/** The run that trains the candidate of an alignment. */
export const runOf = (alignment: string) => `align-${alignment}`;

/** Starts an alignment, or continues the interrupted one of this name. */
export async function startAlignment(env: FeedbackEnv, store: LearningStore, request: AlignRequest): Promise<StartedAlignment> {
  const { name, ...params } = alignRequestSchema.parse(request);
  const id = name ?? crypto.randomUUID();
  await store.setError(id, null);
  const instance = await findInstance(env.ALIGN, id);
  if (instance === null) await createInstance(env.ALIGN, id, params);
  else {
    const { status } = await instance.status();
    // The local engine forgets a sleeping instance when its process ends. A restart repeats no work: each step finds its result.
    if (UNFINISHED.has(status) || status === "errored" || status === "terminated") await instance.restart();
  }
  return { alignment: id };
}

/** Throws NotFound. */
export async function readAlignment(env: FeedbackEnv, store: LearningStore, id: string): Promise<Alignment> {
  const instance = await findInstance(env.ALIGN, id);
  const decisions = await store.decisionsOf(id);
  if (instance === null && decisions.length === 0) throw namedError("NotFound", `alignment: expected a known name, got ${id}`);
  const { status } = instance === null ? { status: "unknown" } : await instance.status();
  return { alignment: id, status, error: await store.errorOf(id), run: runOf(id), decisions };
}

export async function listDecisions(store: LearningStore, page: { before: number; limit: number }): Promise<Decisions> {
  const decisions = await store.listDecisions(page);
  return { decisions, next: decisions.length < page.limit ? null : decisions.at(-1)!.number };
}

/**
 * Makes the model active that was active before a promotion. Throws NotFound for an alignment without a promotion, and Conflict if another
 * model has become active since.
 */
export async function rollBack(env: FeedbackEnv, store: LearningStore, id: string): Promise<{ active: string }> {
  const promoted = (await store.decisionsOf(id)).find(({ verdict }) => verdict === "promoted");
  if (promoted === undefined) throw namedError("NotFound", `alignment: expected one whose model was promoted, got ${id}`);
  const { baseline, candidate, report } = promoted;
  using active = await env.COORDINATOR.activeModel();
  const now = active?.model ?? null;
  if (now !== candidate && now !== baseline)
    throw namedError(
      "Conflict",
      `alignment: expected its model ${candidate} to be active, got ${now ?? "none"}; activate a model by its hash`,
    );
  await env.COORDINATOR.activateModel(baseline);
  await store.decide({ alignment: id, verdict: "rolled-back", candidate, baseline, report });
  return { active: baseline };
}
