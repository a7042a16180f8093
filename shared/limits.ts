/**
 * Platform limits that the local runtime does not enforce and production does, each with its source.
 * Code that could cross one imports it from here and refuses with the number in the message.
 */

/** Memory of one isolate, JavaScript heap and wasm together. developers.cloudflare.com/workers/platform/limits/#memory */
export const MAX_ISOLATE_BYTES = 128 * 1024 * 1024;

/** Wasm memory that a training task's passes are cut to; the rest of an isolate holds code, and the parts of the model on their way. */
export const PLANNED_WASM_BYTES = 96 * 1024 * 1024;

/** CPU time of one invocation, the most that a configuration may allow it. developers.cloudflare.com/workers/platform/limits/#cpu-time */
export const MAX_CPU_SECONDS = 300;

/** CPU time that a training task may need on the machine where its rate was measured: one half as fast finishes it too. */
export const PLANNED_CPU_SECONDS = MAX_CPU_SECONDS / 2;

/** One RPC message must stay below this; byte streams may exceed it. developers.cloudflare.com/workers/runtime-apis/rpc/#limitations */
export const MAX_RPC_BYTES = 32 * 1024 * 1024;

/** One queue message. developers.cloudflare.com/queues/platform/limits/ */
export const MAX_QUEUE_MESSAGE_BYTES = 128_000;

/** Time that a queue's consumer has, waiting included. developers.cloudflare.com/queues/platform/limits/ */
export const MAX_CONSUMER_SECONDS = 15 * 60;

/** One row (and one string or blob) of a SQLite Durable Object. developers.cloudflare.com/durable-objects/platform/limits/ */
export const MAX_DURABLE_ROW_BYTES = 2 * 1024 * 1024;

/** One D1 row may hold 2 MB; half of that is the house rule. developers.cloudflare.com/d1/platform/limits/ */
export const MAX_D1_ROW_BYTES = 1024 * 1024;

/** Connections that may wait for response headers in one invocation. developers.cloudflare.com/workers/platform/limits/#simultaneous-open-connections */
export const MAX_OPEN_CONNECTIONS = 6;

/** Requests of one invocation, calls of other Workers among them. developers.cloudflare.com/workers/platform/limits/#subrequests */
export const MAX_SUBREQUESTS = 10_000;

/** Requests that a reduction is planned with: a tenth of the limit is left for requests that storage fails and that are sent again. */
export const PLANNED_SUBREQUESTS = 0.9 * MAX_SUBREQUESTS;
