/**
 * The only place that chooses the build of the kernels. `kernels-relaxed.wasm` uses relaxed SIMD (fused multiply-add), which
 * workerd accepts. `kernels-simd.wasm` runs wherever 128-bit SIMD does, at about two thirds of the speed.
 */
export { default } from "../kernels/kernels-relaxed.wasm";
