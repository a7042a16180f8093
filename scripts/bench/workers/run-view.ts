/** The coordinator's code for what watchers of a run see. All other scripts reach the coordinator over HTTP. */
// oxlint-disable-next-line no-restricted-imports -- `bench studio` measures the tick of a run of 10,000 rounds without training it.
export { RunStore } from "../../../workers/coordinator/run-store.ts";
// oxlint-disable-next-line no-restricted-imports -- as above
export { statusOf } from "../../../workers/coordinator/status.ts";
// oxlint-disable-next-line no-restricted-imports -- as above
export { tickEvents } from "../../../workers/coordinator/tick-events.ts";
// oxlint-disable-next-line no-restricted-imports -- as above
export { tickOf } from "../../../workers/coordinator/tick.ts";
