/**
 * Times work within workerd, whose clock moves during work only in the local runtime, and there in steps of a millisecond.
 * A measurement begins on a step; after the work the clock is read until the next step, and the number of reads tells how
 * much of the last millisecond was left. Disturbances only lengthen what is measured, so the shortest of many counts.
 */

/** Work lasts about this long per measurement: short enough to fit between the turns of other programs. */
const MEASURED_MS = 2;
/** Enough calls for the engine to have compiled a kernel for speed. */
const WARM_UP_MS = 40;

/** Most clock reads seen in one step. */
let readsPerStep = 0;

/** Reads the clock until it moves. */
function readToNextStep(): { now: number; reads: number; step: number } {
  const before = performance.now();
  let [now, reads] = [before, 0];
  while (now === before) {
    now = performance.now();
    reads++;
  }
  return { now, reads, step: now - before };
}

function calibrate(): void {
  for (let round = 0; round < 20; round++) {
    readToNextStep();
    const { reads, step } = readToNextStep();
    readsPerStep = Math.max(readsPerStep, reads / step);
  }
}

/** Milliseconds that `calls` calls take. */
function measure(work: () => void, calls: number): number {
  const start = readToNextStep().now;
  for (let call = 0; call < calls; call++) work();
  const { now, reads } = readToNextStep();
  return now - start - Math.min(1, reads / readsPerStep);
}

/** The shortest time of one call of each piece of work, in milliseconds, over rounds in which they take turns. */
export function bestTimes(works: readonly (() => void)[], rounds: number): number[] {
  if (readsPerStep === 0) calibrate();
  const calls = works.map((work) => {
    const start = readToNextStep().now;
    let done = 0;
    for (; performance.now() < start + WARM_UP_MS; done++) work();
    // Once more, compiled: the first calls were slow.
    const some = Math.max(1, Math.round(done / WARM_UP_MS));
    return Math.max(1, Math.round((MEASURED_MS * some) / measure(work, some)));
  });
  const best = works.map(() => Infinity);
  for (let round = 0; round < rounds; round++) {
    for (const [index, work] of works.entries()) best[index] = Math.min(best[index]!, measure(work, calls[index]!) / calls[index]!);
  }
  return best;
}
