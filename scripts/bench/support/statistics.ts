/** The mean and the quantiles of measurements. */

export const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** The value below which a share of the values lies, 0 <= share < 1. NaN if there are no values. */
export const quantile = (values: readonly number[], share: number): number =>
  values.toSorted((a, b) => a - b)[Math.floor(share * values.length)] ?? Number.NaN;

/** Of an even number of values, the greater of the two in the middle. */
export const median = (values: readonly number[]): number => quantile(values, 0.5);
