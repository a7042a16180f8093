/**
 * Limits that Cloudflare enforces in production but not in the local runtime, each with its source. Code that could exceed a
 * limit checks the limit first and states it in the error.
 */

/** Memory of an isolate: JavaScript heap plus wasm. developers.cloudflare.com/workers/platform/limits/#memory */
export const MAX_ISOLATE_BYTES = 128 * 1024 * 1024;

/** Planned wasm memory of a training task. The rest of the isolate holds code and the model parts that are being transferred. */
export const PLANNED_WASM_BYTES = 96 * 1024 * 1024;

/** Highest CPU time that a configuration may set for an invocation. developers.cloudflare.com/workers/platform/limits/#cpu-time */
export const MAX_CPU_SECONDS = 300;

/** Planned CPU time of a training task, on the measured machine. A machine half as fast still stays below MAX_CPU_SECONDS. */
export const PLANNED_CPU_SECONDS = MAX_CPU_SECONDS / 2;

/** Maximum size of an RPC message. Byte streams may be larger. developers.cloudflare.com/workers/runtime-apis/rpc/#limitations */
export const MAX_RPC_BYTES = 32 * 1024 * 1024;

/** Maximum size of a queue message. developers.cloudflare.com/queues/platform/limits/ */
export const MAX_QUEUE_MESSAGE_BYTES = 128_000;

/** Wall-clock time of a queue consumer. developers.cloudflare.com/queues/platform/limits/ */
export const MAX_CONSUMER_SECONDS = 15 * 60;

/** Maximum size of a row, string or blob in a SQLite Durable Object. developers.cloudflare.com/durable-objects/platform/limits/ */
export const MAX_DURABLE_ROW_BYTES = 2 * 1024 * 1024;

/** Half of the 2 MB that a D1 row may have. developers.cloudflare.com/d1/platform/limits/ */
export const MAX_D1_ROW_BYTES = 1024 * 1024;

/** One D1 database. developers.cloudflare.com/d1/platform/limits/ */
export const MAX_D1_BYTES = 10 * 1024 ** 3;

/**
 * Connections of an invocation that may wait for response headers at once.
 * developers.cloudflare.com/workers/platform/limits/#simultaneous-open-connections
 */
export const MAX_OPEN_CONNECTIONS = 6;

/** Requests of an invocation, including calls to other Workers. developers.cloudflare.com/workers/platform/limits/#subrequests */
export const MAX_SUBREQUESTS = 10_000;

/** Requests that a reduction may plan. The remaining tenth is for retries of failed storage requests. */
export const PLANNED_SUBREQUESTS = 0.9 * MAX_SUBREQUESTS;

/** Invocations of Workers that one request may cause through service bindings. developers.cloudflare.com/workers/runtime-apis/bindings/service-bindings/#limits */
export const MAX_WORKER_CALLS = 32;
