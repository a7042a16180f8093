/**
 * Times work inside workerd. Only in the local runtime does the clock move during work, in steps of one millisecond. A
 * measurement begins at a clock step. After the work the clock is read until its next step, and the number of reads tells how
 * much of the last millisecond was left. Disturbances only lengthen a measurement, so the shortest of many measurements
 * counts.
 */

/**
 * The target length of one measurement. It is short enough to fit between the time slices of other programs. It is long enough
 * for several calls of the slowest kernel; the first call after reading the clock is slower, because caches and branch
 * predictors are cold.
 */
const MEASURED_MS = 6;
/** Long enough for the engine to optimize a kernel. */
const WARM_UP_MS = 40;

/** The largest assumed speed-up since the warm-up, by the optimizing compiler or because other programs have stopped. */
const MOST_SPEED_UP = 16;

/** The most clock reads in one millisecond so far. Disturbances only lower a count, so the maximum is kept. */
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
  // This reads a whole millisecond, so its reads count for the maximum.
  const start = readToNextStep().now;
  for (let call = 0; call < calls; call++) work();
  const { now, reads } = readToNextStep();
  return { elapsed: now - start, reads, calls };
}

/** Milliseconds of one call. */
const perCall = ({ elapsed, reads, calls }: Measured) => (elapsed - reads / readsPerMs) / calls;

/** The shortest time of a call, in milliseconds, for each piece of work. In each round the pieces take turns. */
export function bestTimes(works: readonly (() => void)[], rounds: number): number[] {
  const calls = works.map((work) => {
    const start = readToNextStep().now;
    let done = 0;
    for (; performance.now() < start + WARM_UP_MS; done++) work();
    // Measured again, because the first calls of the warm-up were slow.
    const perMs = done / WARM_UP_MS;
    const time = perCall(measure(work, Math.max(1, Math.round(perMs))));
    // On a busy machine a single time can be near zero or negative. Without a limit, the next measurement would then make
    // millions of calls.
    const wanted = time > 0 ? MEASURED_MS / time : MEASURED_MS * perMs;
    return Math.max(1, Math.round(Math.min(wanted, MOST_SPEED_UP * MEASURED_MS * perMs)));
  });
  const measured: Measured[][] = works.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (const [index, work] of works.entries()) measured[index]!.push(measure(work, calls[index]!));
  }
  // Computed last, because the maximum of reads is final now.
  return measured.map((all) => Math.min(...all.map(perCall)));
}
