/** The export formats and their number types. The first number type is the default. */
export const EXPORT_FORMATS = ["hf", "gguf", "onnx"] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];

export const EXPORT_TYPES = {
  hf: ["F32", "BF16"],
  gguf: ["F16", "F32", "BF16", "Q8_0", "Q4_0"],
  onnx: ["F32", "INT8"],
} as const satisfies Record<ExportFormat, readonly string[]>;
export type OnnxType = (typeof EXPORT_TYPES)["onnx"][number];
