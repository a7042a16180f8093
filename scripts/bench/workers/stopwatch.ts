/**
 * Times work within workerd, whose clock moves during work only in the local runtime, and there in steps of a millisecond.
 * A measurement begins on a step; after the work the clock is read until the next step, and the number of reads tells how
 * much of the last millisecond was left. Disturbances then only lengthen what is measured, so the shortest of many counts.
 */

/**
 * Work lasts about this long per measurement: short enough to fit between the turns of other programs, and several calls of
 * the longest kernel, since the first one after reading the clock finds caches and predictors full of something else.
 */
const MEASURED_MS = 6;
/** Enough calls for the engine to have compiled a kernel for speed. */
const WARM_UP_MS = 40;

/** Most clock reads seen in one millisecond. What disturbs a count makes it smaller, so it is looked for all the time. */
let readsPerMs = 0;

/** Reads the clock until it moves. */
function readToNextStep(): { now: number; reads: number } {
  const before = performance.now();
  let [now, reads] = [before, 0];
  while (now === before) {
    now = performance.now();
    reads++;
  }
  readsPerMs = Math.max(readsPerMs, reads / (now - before));
  return { now, reads };
}

interface Measured {
  /** Milliseconds to the step after the work, and the reads that were left until then. */
  elapsed: number;
  reads: number;
  calls: number;
}

function measure(work: () => void, calls: number): Measured {
  readToNextStep();
  // A whole step, whose reads count.
  const start = readToNextStep().now;
  for (let call = 0; call < calls; call++) work();
  const { now, reads } = readToNextStep();
  return { elapsed: now - start, reads, calls };
}

/** Milliseconds of one call. */
const perCall = ({ elapsed, reads, calls }: Measured) => (elapsed - reads / readsPerMs) / calls;

/** The shortest time of one call of each piece of work, in milliseconds, over rounds in which they take turns. */
export function bestTimes(works: readonly (() => void)[], rounds: number): number[] {
  const calls = works.map((work) => {
    const start = readToNextStep().now;
    let done = 0;
    for (; performance.now() < start + WARM_UP_MS; done++) work();
    // Once more, compiled: the first calls were slow.
    return Math.max(1, Math.round(MEASURED_MS / perCall(measure(work, Math.max(1, Math.round(done / WARM_UP_MS))))));
  });
  const measured: Measured[][] = works.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (const [index, work] of works.entries()) measured[index]!.push(measure(work, calls[index]!));
  }
  // Now only, when the reads of an undisturbed millisecond are known.
  return measured.map((all) => Math.min(...all.map(perCall)));
}
