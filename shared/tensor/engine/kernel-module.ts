/**
 * Chooses the build of the kernels. `kernels-relaxed.wasm` uses relaxed SIMD (fused multiply-add), which workerd supports.
 * `kernels-simd.wasm` needs only 128-bit SIMD but runs at about two thirds of the speed.
 */
export { default } from "../kernels/kernels-relaxed.wasm";
