/**
 * One work session at a time per isolate: a second would only share its thread and double its memory. An invocation that the
 * platform ends never reaches its `finally`, and its isolate may live on; so a session that began longer ago than an
 * invocation can last counts as over, else the isolate would never work again.
 */
import { MAX_CONSUMER_SECONDS } from "../../shared/limits.ts";

let current: { startedAt: number } | null = null;

const isAlive = ({ startedAt }: { startedAt: number }) => Date.now() - startedAt < MAX_CONSUMER_SECONDS * 1000;

/** What `session` returns, or null when one is going on. */
export async function oneAtATime<T>(session: () => Promise<T>): Promise<T | null> {
  if (current !== null && isAlive(current)) return null;
  const own = { startedAt: Date.now() };
  current = own;
  try {
    return await session();
  } finally {
    // A later one has taken over from a session that was held to be over and was not.
    if (current === own) current = null;
  }
}
