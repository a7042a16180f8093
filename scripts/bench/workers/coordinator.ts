/**
 * The only import of the coordinator for benches: its reduction, which two benches run without the Worker, and the type of its
 * RPC. All other scripts reach Workers over HTTP.
 */
// oxlint-disable-next-line no-restricted-imports -- `bench reduce` and `bench diloco` run the real reduction without its Worker.
export { firstCheckpoint, nextCheckpoint, putCheckpoint } from "../../../workers/coordinator/reduce.ts";

/** The type argument of `server.getWorker(...).getExport()` in a test harness. */
export type CoordinatorModule = typeof import("../../../workers/coordinator/index.ts");
