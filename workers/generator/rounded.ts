/** Numbers for people, with four decimals, so that answers stay short. */
const DECIMALS = 10_000;

export const rounded = (values: ArrayLike<number>): number[] => Array.from(values, (value) => Math.round(value * DECIMALS) / DECIMALS);
