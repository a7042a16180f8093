/** Lists the files of a model: in each export format, and in the model's repository on a hub. */
import { namedError } from "../errors.ts";
import { ggufFile } from "./gguf-writer.ts";
import { descriptionFiles, huggingFaceFiles } from "./hugging-face.ts";
import { onnxFile } from "./onnx-writer.ts";
import { EXPORT_TYPES, type ExportFormat } from "./formats.ts";
import type { OutputFile } from "./output-file.ts";
import type { PublishedModel } from "./published-model.ts";

function typeOf<F extends ExportFormat>(format: F, asked: string | undefined): (typeof EXPORT_TYPES)[F][number] {
  const types: readonly (typeof EXPORT_TYPES)[F][number][] = EXPORT_TYPES[format];
  const found = asked === undefined ? types[0] : types.find((type) => type.toLowerCase() === asked.toLowerCase());
  if (found === undefined) throw namedError("InvalidInput", `type: expected one of ${types.join(", ")} for ${format}, got ${asked}`);
  return found;
}

/** Returns the files of an export: one file, or several that form a folder. Throws InvalidInput. */
export function exportFiles(model: PublishedModel, format: ExportFormat, type?: string): OutputFile[] {
  switch (format) {
    case "hf":
      return huggingFaceFiles(model, typeOf("hf", type));
    case "gguf": {
      const found = typeOf("gguf", type);
      return [ggufFile(model, found, `${model.provenance.name}-${found}.gguf`)];
    }
    case "onnx":
      return [...descriptionFiles(model), onnxFile(model, typeOf("onnx", type))];
    default:
      return format satisfies never;
  }
}

/** Returns all files of the model's repository on a hub. */
export function repositoryFiles(model: PublishedModel): OutputFile[] {
  return [
    ...huggingFaceFiles(model, "F32"),
    ...EXPORT_TYPES.onnx.map((type) => onnxFile(model, type)),
    ...EXPORT_TYPES.gguf.flatMap((type) => exportFiles(model, "gguf", type)),
  ];
}
