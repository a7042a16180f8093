/** Every error of the API is {"error": "message"}; names that cross RPC become statuses here. */
import type { Context } from "hono";
import { HTTPException } from "hono/http-exception";
import type { ContentfulStatusCode } from "hono/utils/http-status";

const STATUS_OF: Readonly<Record<string, ContentfulStatusCode>> = {
  NotFound: 404,
  InvalidInput: 422,
  Conflict: 409,
  Busy: 429,
  NoModel: 503,
  Unavailable: 503,
};
const RETRY_AFTER_SECONDS = "1";

export function onError(error: Error, c: Context): Response {
  if (error instanceof HTTPException) return c.json({ error: error.message }, error.status);
  const status = STATUS_OF[error.name];
  if (status === undefined) {
    // oxlint-disable-next-line no-console -- the caller learns nothing of it, so the log must
    console.error(error.stack ?? error.message);
    return c.json({ error: "internal error" }, 500);
  }
  if (status === 429) c.header("retry-after", RETRY_AFTER_SECONDS);
  return c.json({ error: error.message }, status);
}
