/**
 * Which build of the kernels runs: the one place of the choice. `kernels-relaxed.wasm` uses relaxed SIMD (fused
 * multiply-add), which workerd accepts; `kernels-simd.wasm` runs wherever plain 128-bit SIMD does, at about two thirds of the speed.
 */
export { default } from "../kernels/kernels-relaxed.wasm";
