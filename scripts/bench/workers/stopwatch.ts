/**
 * Times work inside workerd. Only the local runtime's clock moves during work, in steps of a millisecond. A measurement
 * begins on a step; after the work the clock is read until the next step, and the number of reads says how much of the last
 * millisecond was left. Disturbances can only lengthen a measurement, so the shortest of many counts.
 */

/**
 * Target length of one measurement: short enough to fit between the turns of other programs, long enough for several calls of
 * the slowest kernel, because the first call after reading the clock starts with cold caches and predictors.
 */
const MEASURED_MS = 6;
/** Long enough for the engine to optimize a kernel. */
const WARM_UP_MS = 40;

/** How many times as fast as its warm-up work may become, through the optimizing compiler or for want of other work. */
const MOST_SPEED_UP = 16;

/** The most clock reads seen in one millisecond. Disturbances only lower a count, so the maximum is kept over all measurements. */
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
  /** Milliseconds to the first clock step after the work; `reads` is the number of clock reads until that step. */
  elapsed: number;
  reads: number;
  calls: number;
}

function measure(work: () => void, calls: number): Measured {
  readToNextStep();
  // A whole step, so its reads count towards the maximum.
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
    // Measured again after warm-up, because the first calls were slow.
    const perMs = done / WARM_UP_MS;
    const time = perCall(measure(work, Math.max(1, Math.round(perMs))));
    // On a busy machine a single measurement can come out near zero, or below, and ask for millions of calls.
    const wanted = time > 0 ? MEASURED_MS / time : MEASURED_MS * perMs;
    return Math.max(1, Math.round(Math.min(wanted, MOST_SPEED_UP * MEASURED_MS * perMs)));
  });
  const measured: Measured[][] = works.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (const [index, work] of works.entries()) measured[index]!.push(measure(work, calls[index]!));
  }
  // Computed last, when the maximum of reads is known.
  return measured.map((all) => Math.min(...all.map(perCall)));
}
