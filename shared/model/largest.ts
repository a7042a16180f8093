/** The few largest of many values, in one pass. */

/** Above this count a sort of all values is faster. */
const FEW = 256;

/** The indexes of the `count` largest values, largest first; equal values in the order of their indexes. */
export function largest(values: ArrayLike<number>, count: number, isLeftOut: (index: number) => boolean = () => false): number[] {
  if (count > FEW) {
    const indexes = Array.from(values, (_, index) => index).filter((index) => !isLeftOut(index));
    return indexes.toSorted((a, b) => values[b]! - values[a]! || a - b).slice(0, count);
  }
  const kept: number[] = [];
  for (let index = 0; index < values.length; index++) {
    if (kept.length === count && (count === 0 || values[index]! <= values[kept.at(-1)!]!)) continue;
    if (isLeftOut(index)) continue;
    const at = kept.findIndex((other) => values[index]! > values[other]!);
    kept.splice(at === -1 ? kept.length : at, 0, index);
    kept.length = Math.min(kept.length, count);
  }
  return kept;
}
