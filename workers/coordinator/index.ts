/** Coordinator: the entry. Stub with the final contract. */
import { WorkerEntrypoint, DurableObject, WorkflowEntrypoint } from "cloudflare:workers";

export default class Coordinator extends WorkerEntrypoint<CoordinatorEnv> {
  async health(): Promise<{ ok: true }> {
    return { ok: true };
  }
}
export class Run extends DurableObject<CoordinatorEnv> {}
export class Registry extends DurableObject<CoordinatorEnv> {}
export class TrainWorkflow extends WorkflowEntrypoint<CoordinatorEnv> {
  override async run(): Promise<void> {}
}
