/**
 * The line before the generator: one answer at a time per isolate, so many places, a bounded wait.
 *
 * Cloudflare cancels an invocation 30 s after its client has left, and then nothing settles that it would have settled. So
 * nobody here awaits another invocation: a place is a record that lapses by the clock, and each looks by its own timer
 * whether its turn has come. A turn that outlasts its time goes on, beside the next one: what must not be
 * interrupted in an answer (from the model in hand to the last token) awaits nothing.
 */
import { namedError } from "../../shared/errors.ts";

/** How often a place looks whether it is the first: what a turn may lose, small beside the making of an answer. */
const POLL_MS = 10;

interface Place {
  until: number;
}
const isStanding = ({ until }: Place) => until > Date.now();

export interface LineSettings {
  /** Places in all, with that of the one at work. */
  places: number;
  /** How long a turn is waited for. */
  waitMs: number;
  /** How long a turn keeps the others waiting. */
  turnMs: number;
}

/** A function that does work when its turn has come. It throws Busy when every place is taken and when the turn does not come in time. */
export function createLine({ places, waitMs, turnMs }: LineSettings) {
  let line: Place[] = [];
  return async <T>(work: () => Promise<T>): Promise<T> => {
    line = line.filter(isStanding);
    if (line.length >= places) throw namedError("Busy", `expected at most ${places} answers in the making, try again in a second`);
    const place: Place = { until: Date.now() + waitMs };
    line.push(place);
    try {
      while (line.find(isStanding) !== place) {
        if (!isStanding(place)) throw namedError("Busy", `expected a turn within ${waitMs / 1000} s, got none, try again in a second`);
        await scheduler.wait(POLL_MS);
      }
      place.until = Date.now() + turnMs;
      return await work();
    } finally {
      line = line.filter((other) => other !== place);
    }
  };
}
