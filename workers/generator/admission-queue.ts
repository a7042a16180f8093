/**
 * The admission queue of the generator. It limits the answers that are made at a time per isolate, the places in the queue,
 * and the wait.
 *
 * Cloudflare cancels an invocation 30 s after its client has left, and the promises of the invocation then never settle.
 * Therefore no invocation awaits another. A place is a record that expires by the clock, and each place polls for its turn
 * with its own timer. If a turn takes longer than `turnMs`, the next turn begins anyway, and both run.
 */
import { namedError } from "../../shared/errors.ts";

/** How often a place checks whether its turn has come. A turn may start this late, a small share of an answer's time. */
const POLL_MS = 10;

interface Place {
  until: number;
}
const isStanding = ({ until }: Place) => until > Date.now();

export interface QueueSettings {
  /** Turns that run at the same time. They make their tokens in rotation. */
  atOnce: number;
  /** All places, including places that have their turn. */
  places: number;
  /** The longest wait of a place for its turn. */
  waitMs: number;
  /** After this time a turn no longer holds up other places. */
  turnMs: number;
}

/**
 * Returns a function that runs work when its turn comes. The function throws Busy if all places are taken or the turn does not
 * come in time.
 */
export function createAdmissionQueue({ atOnce, places, waitMs, turnMs }: QueueSettings) {
  let queue: Place[] = [];
  const hasTurn = (place: Place) => queue.filter(isStanding).slice(0, atOnce).includes(place);
  return async <T>(work: () => Promise<T>): Promise<T> => {
    queue = queue.filter(isStanding);
    if (queue.length >= places) throw namedError("Busy", `expected at most ${places} requests at a time, try again in a second`);
    const place: Place = { until: Date.now() + waitMs };
    queue.push(place);
    try {
      while (!hasTurn(place)) {
        if (!isStanding(place)) throw namedError("Busy", `expected a turn within ${waitMs / 1000} s, got none, try again in a second`);
        await scheduler.wait(POLL_MS);
      }
      place.until = Date.now() + turnMs;
      return await work();
    } finally {
      queue = queue.filter((other) => other !== place);
    }
  };
}
