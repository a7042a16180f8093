/** The scales of a chart's axes: converts values to pixels and back, and chooses round values to write at an axis. */

export interface Scale {
  isLog: boolean;
  min: number;
  max: number;
  /** The pixels of `min` (`from`) and of `max` (`to`). */
  from: number;
  to: number;
}

export function position({ isLog, min, max, from, to }: Scale, value: number): number {
  const share = isLog ? Math.log(value / min) / Math.log(max / min) : (value - min) / (max - min);
  return max === min ? from : from + share * (to - from);
}

export function valueAt({ isLog, min, max, from, to }: Scale, pixel: number): number {
  const share = Math.min(1, Math.max(0, (pixel - from) / (to - from)));
  return isLog ? min * (max / min) ** share : min + share * (max - min);
}

/** About `wanted` round values between `min` and `max`, each 1, 2 or 5 times a power of ten. */
export function marksOf({ isLog, min, max }: Scale, wanted: number): number[] {
  if (!(max > min)) return [min];
  if (isLog && max / min > 20) return powers(min, max);
  const rough = (max - min) / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5].find((factor) => factor * power >= rough) ?? 10);
  const first = Math.ceil(min / step - 1e-9);
  return Array.from({ length: Math.floor(max / step + 1e-9) - first + 1 }, (_, index) => (first + index) * step);
}

function powers(min: number, max: number): number[] {
  const found: number[] = [];
  for (let power = 10 ** Math.floor(Math.log10(min)); power <= max; power *= 10)
    for (const factor of [1, 2, 5]) if (factor * power >= min && factor * power <= max) found.push(factor * power);
  return found;
}

/**
 * The exponentially weighted mean of a list of values. With `strength` 0 the values stay as they are; near 1 they hardly move.
 */
export function smoothed(values: readonly number[], strength: number): number[] {
  let mean = values[0] ?? 0;
  return values.map((value) => {
    mean = strength * mean + (1 - strength) * value;
    return mean;
  });
}

/** The index of the element that is nearest to `wanted` in a sorted list. */
export function nearest(sorted: readonly number[], wanted: number): number {
  let [low, high] = [0, sorted.length - 1];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (sorted[middle]! < wanted) low = middle;
    else high = middle;
  }
  return wanted - (sorted[low] ?? 0) <= (sorted[high] ?? 0) - wanted ? low : high;
}
