/** In-place addition. */

/** target [n] += x [n] */
export function addInPlace(target: usize, x: usize, n: i32): void {
  const end = target + (<usize>(n & ~3) << 2);
  const last = target + (<usize>n << 2);
  for (; target != end; target += 16) {
    v128.store(target, f32x4.add(v128.load(target), v128.load(x)));
    x += 16;
  }
  for (; target != last; target += 4) {
    store<f32>(target, load<f32>(target) + load<f32>(x));
    x += 4;
  }
}
