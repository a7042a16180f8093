/**
 * Exponential and logarithm from additions and multiplications alone. JavaScript leaves the last bits of `Math.exp` and
 * `Math.log` to the engine, and two trainers must compute the same bits.
 */

/** log 2 as the sum of two numbers. The first has few bits, so its product with a small integer is exact. */
const [LN2_HIGH, LN2_LOW] = [0.6931471803691238, 1.9082149292705877e-10];
/** Within these bounds the result and its power of two are normal numbers. */
const LIMIT = 700;
/** 1 / k! for k = 13 down to 0: the Taylor series up to |r| = (log 2) / 2 has a relative error below 1e-16. */
const COEFFICIENTS = Array.from({ length: 14 }, (_, index) => 13 - index).map((k) => {
  let product = 1;
  for (let factor = 2; factor <= k; factor++) product *= factor;
  return 1 / product;
});

const power = new Float64Array(1);
const bits = new Int32Array(power.buffer);
/** The index of the half with the exponent. */
const HIGH = new Uint8Array(Int32Array.of(1).buffer)[0] === 1 ? 1 : 0;

/** e^x. Arguments beyond -700 and 700 count as -700 and 700. */
export function exp(x: number): number {
  const bounded = Math.max(-LIMIT, Math.min(LIMIT, x));
  const count = Math.round(bounded * Math.LOG2E);
  const rest = bounded - count * LN2_HIGH - count * LN2_LOW;
  let sum = 0;
  for (let index = 0; index < COEFFICIENTS.length; index++) sum = sum * rest + COEFFICIENTS[index]!;
  power[0] = 0;
  bits[HIGH] = (count + 1023) << 20;
  return sum * power[0];
}

/** The natural logarithm of a positive normal number, by Newton's method. */
export function log(x: number): number {
  power[0] = x;
  let y = ((bits[HIGH]! >>> 20) - 1023) * Math.LN2;
  for (let step = 0; step < 6; step++) y += x * exp(-y) - 1;
  return y;
}
