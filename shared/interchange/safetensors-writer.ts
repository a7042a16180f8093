/**
 * A model's weights as Hugging Face reads them: one `model.safetensors`, or shards with an index when it is large. The
 * parameters carry Hugging Face's names already, so nothing is renamed, turned or merged.
 */
import { encodeHeader } from "../model/formats/safetensors.ts";
import { bytesOfType } from "./number-types.ts";
import { textFile, type OutputFile } from "./output-file.ts";
import { parameterPieces, type ParameterPiece, type PublishedModel } from "./published-model.ts";

export type SafetensorsType = "F32" | "BF16";

/** Loaders of 32 bits and FAT file systems still exist; Hugging Face cuts its own at 5 GB. */
export const MAX_SHARD_BYTES = 2e9;

const bytesOf = ({ shape, type }: ParameterPiece) =>
  bytesOfType(
    type,
    shape.reduce((product, axis) => product * axis, 1),
  );

const digits = (number: number) => String(number).padStart(5, "0");

function safetensorsFile(path: string, parameters: readonly ParameterPiece[], type: SafetensorsType): OutputFile {
  // Without `format` some loaders refuse the file.
  const { header } = encodeHeader(
    parameters.map(({ name, shape }) => ({ name, shape, dtype: type })),
    { format: "pt" },
  );
  return { path, pieces: [header, ...parameters.map(({ piece }) => piece)] };
}

/** The weights in a type, in files of at most `maxBytes` of data each unless one parameter is larger. */
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
