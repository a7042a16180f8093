/**
 * One work session at a time per isolate: a second session would only share its thread and double its memory. An invocation
 * that the platform ends never reaches its `finally`, and its isolate may live on. So a session that is older than an
 * invocation can be counts as over; otherwise the isolate would never work again.
 */
import { MAX_CONSUMER_SECONDS } from "../../shared/limits.ts";

let current: { startedAt: number } | null = null;

const isAlive = ({ startedAt }: { startedAt: number }) => Date.now() - startedAt < MAX_CONSUMER_SECONDS * 1000;

/** The result of `session`, or null when another session is at work. */
export async function oneAtATime<T>(session: () => Promise<T>): Promise<T | null> {
  if (current !== null && isAlive(current)) return null;
  const own = { startedAt: Date.now() };
  current = own;
  try {
    return await session();
  } finally {
    // A session that counted as over may still end: by then a later session has taken its place.
    if (current === own) current = null;
  }
}
