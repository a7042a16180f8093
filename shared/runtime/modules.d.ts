/** scripts/build/runtime.ts generates this module: the builds of the kernels, raw deflate in base64. */
declare module "tiffin:kernels" {
  export const relaxed: string;
  export const simd: string;
}
