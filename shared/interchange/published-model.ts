/** A published model as the exports use it: its manifest's data, and access to its parameters with one part in memory at a time. */
import type { Hash } from "../artifacts.ts";
import type { ModelConfig } from "../config.ts";
import { partition } from "../model/formats/partition.ts";
import { decodeSafetensors } from "../model/formats/safetensors.ts";
import { checkPart } from "../model/formats/weights-file.ts";
import { weightShapes } from "../model/weights.ts";
import { bytesOfType, toType, type NumberType } from "./number-types.ts";
import type { Piece } from "./output-file.ts";
import type { Provenance } from "./provenance.ts";
import type { TokenizerTables } from "./tokenizer-tables.ts";

export interface PublishedModel {
  /** The checkpoint's hash, which identifies the model. */
  hash: Hash;
  config: ModelConfig;
  tokenizer: TokenizerTables;
  /** Token ids that end a text, most frequent first. */
  endTokens: readonly number[];
  /** The chat template in Jinja, for transformers and llama.cpp. */
  chatTemplate: string;
  provenance: Provenance;
  parameters: ParameterReader;
}

/** Reads a parameter. Its values are valid until the next read. */
export interface ParameterReader {
  read(name: string): Promise<Float32Array<ArrayBuffer>>;
}

export interface ParameterPiece {
  name: string;
  shape: readonly number[];
  type: NumberType;
  piece: Piece;
}

/** Reads parameters from a model's parts. The bytes from `readPart` must stay unchanged until the next call of `readPart`. */
export function createParameterReader(config: ModelConfig, readPart: (index: number) => Promise<Uint8Array>): ParameterReader {
  const parts = partition(config);
  const partOf = new Map(parts.flatMap((part, index) => part.map(([name]) => [name, index] as const)));
  let current = -1;
  let arrays = new Map<string, Float32Array<ArrayBuffer>>();
  return {
    async read(name) {
      const index = partOf.get(name);
      if (index === undefined) throw new Error(`parameter: expected the name of a parameter of the model, got ${name}`);
      if (index !== current) {
        current = -1;
        arrays = new Map();
        const decoded = decodeSafetensors(await readPart(index));
        checkPart(decoded, parts[index]!);
        arrays = new Map(decoded.map((array) => [array.name, array.data as Float32Array<ArrayBuffer>]));
        current = index;
      }
      return arrays.get(name)!;
    },
  };
}

/**
 * Returns all parameters in storage order, so that each part is read once. `typeOf` chooses the number type of each. All
 * conversions share one buffer, because dropped buffers fill memory until the next garbage collection.
 */
export function parameterPieces(
  { config, parameters }: Pick<PublishedModel, "config" | "parameters">,
  typeOf: (name: string, shape: readonly number[]) => NumberType,
): ParameterPiece[] {
  let room = new ArrayBuffer(0);
  return weightShapes(config).map(([name, shape]) => {
    const type = typeOf(name, shape);
    const size = bytesOfType(
      type,
      shape.reduce((product, axis) => product * axis, 1),
    );
    const make = async () => {
      const values = await parameters.read(name);
      if (type !== "F32" && room.byteLength < size) room = new ArrayBuffer(size);
      return toType(type, values, room);
    };
    return { name, shape, type, piece: { size, make } };
  });
}
