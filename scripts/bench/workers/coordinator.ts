/**
 * The benches' one door into the coordinator: its reduction, which two benches run without the Worker around it, and the
 * type of the Worker's RPC. All other scripts reach Workers over HTTP.
 */
// oxlint-disable-next-line no-restricted-imports -- `bench reduce` and `bench diloco` run the real reduction without its Worker.
export { firstCheckpoint, nextCheckpoint, putCheckpoint } from "../../../workers/coordinator/reduce.ts";

/** What `server.getWorker(...).getExport()` of a test harness is typed by. */
export type CoordinatorModule = typeof import("../../../workers/coordinator/index.ts");
