/**
 * Writes a model's weights for Hugging Face: one `model.safetensors`, or several files with an index if the model is large.
 * Parameters already have Hugging Face's names and shapes, so they are written unchanged.
 */
import { encodeHeader } from "../model/formats/safetensors.ts";
import { bytesOfType } from "./number-types.ts";
import { textFile, type OutputFile } from "./output-file.ts";
import { parameterPieces, type ParameterPiece, type PublishedModel } from "./published-model.ts";

export type SafetensorsType = "F32" | "BF16";

/** Below the limits of 32-bit loaders and FAT file systems. Hugging Face's own files have up to 5 GB. */
export const MAX_SHARD_BYTES = 2e9;

const bytesOf = ({ shape, type }: ParameterPiece) =>
  bytesOfType(
    type,
    shape.reduce((product, axis) => product * axis, 1),
  );

const digits = (number: number) => String(number).padStart(5, "0");

function safetensorsFile(path: string, parameters: readonly ParameterPiece[], type: SafetensorsType): OutputFile {
  // Some loaders refuse a file without `format`.
  const { header } = encodeHeader(
    parameters.map(({ name, shape }) => ({ name, shape, dtype: type })),
    { format: "pt" },
  );
  return { path, pieces: [header, ...parameters.map(({ piece }) => piece)] };
}

/** Writes the weights in a number type. A file has at most `maxBytes` of data, unless a single parameter is larger. */
export function safetensorsFiles(
  model: Pick<PublishedModel, "config" | "parameters">,
  type: SafetensorsType,
  maxBytes = MAX_SHARD_BYTES,
): OutputFile[] {
  const shards: ParameterPiece[][] = [];
  let room = 0;
  let total = 0;
  for (const parameter of parameterPieces(model, () => type)) {
    const bytes = bytesOf(parameter);
    if (bytes > room) {
      shards.push([]);
      room = maxBytes;
    }
    shards.at(-1)!.push(parameter);
    room -= bytes;
    total += bytes;
  }
  if (shards.length === 1) return [safetensorsFile("model.safetensors", shards[0]!, type)];
  const nameOf = (index: number) => `model-${digits(index + 1)}-of-${digits(shards.length)}.safetensors`;
  const weightMap = Object.fromEntries(shards.flatMap((shard, index) => shard.map(({ name }) => [name, nameOf(index)])));
  return [
    textFile("model.safetensors.index.json", JSON.stringify({ metadata: { total_size: total }, weight_map: weightMap }, null, 2)),
    ...shards.map((shard, index) => safetensorsFile(nameOf(index), shard, type)),
  ];
}
