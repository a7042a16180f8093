/**
 * The admission queue of the generator: a few answers at once per isolate, a bounded number of places, a bounded wait.
 *
 * Cloudflare cancels an invocation 30 s after its client has left, and nothing that the invocation would have settled settles
 * then. So no invocation awaits another: a place is a record that lapses by the clock, and each place looks by its own timer
 * whether its turn has come. A turn that outlasts its time continues beside the next turn.
 */
import { namedError } from "../../shared/errors.ts";

/** How often a place looks whether its turn has come: the delay that a turn may lose, small beside the making of an answer. */
const POLL_MS = 10;

interface Place {
  until: number;
}
const isStanding = ({ until }: Place) => until > Date.now();

export interface QueueSettings {
  /** Turns at the same time: their answers are made token by token in rotation. */
  atOnce: number;
  /** Places in all, those at work included. */
  places: number;
  /** How long a place waits for its turn. */
  waitMs: number;
  /** How long a turn keeps the other places waiting. */
  turnMs: number;
}

/** A function that does work when its turn has come. It throws Busy when every place is taken or the turn does not come in time. */
export function createAdmissionQueue({ atOnce, places, waitMs, turnMs }: QueueSettings) {
  let queue: Place[] = [];
  const hasTurn = (place: Place) => queue.filter(isStanding).slice(0, atOnce).includes(place);
  return async <T>(work: () => Promise<T>): Promise<T> => {
    queue = queue.filter(isStanding);
    if (queue.length >= places) throw namedError("Busy", `expected at most ${places} answers in the making, try again in a second`);
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
