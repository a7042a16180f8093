/**
 * Divides a model into parts: objects of about 2 MB with consecutive parameters. The coordinator reduces part by part, so it
 * needs memory for one part only. Optimizer states and updates are divided the same way: part number i of a state belongs to
 * part number i of the parameters.
 */
import type { NetworkConfig } from "../../network-config.ts";
import { weightShapes, type ShapedName } from "../weights.ts";

/** Maximum float32 bytes of the parameters in a part. A larger parameter has a part of its own. Small compared with an isolate's 128 MB. */
export const PART_BYTES = 2 * 1024 * 1024;

const bytesOf = (shape: readonly number[]) => shape.reduce((product, axis) => product * axis, 4);

/** The parameters of each part, in the order of `weightShapes`. */
export function partition(config: NetworkConfig): ShapedName[][] {
  const parts: ShapedName[][] = [];
  let room = 0;
  for (const [name, shape] of weightShapes(config)) {
    const bytes = bytesOf(shape);
    if (bytes > room) {
      parts.push([]);
      room = PART_BYTES;
    }
    parts.at(-1)!.push([name, shape]);
    room -= bytes;
  }
  return parts;
}

/** The float32 bytes of a part's parameters. */
export const bytesOfPart = (part: readonly ShapedName[]): number => part.reduce((sum, [, shape]) => sum + bytesOf(shape), 0);

/** The float32 bytes of a model's largest part. */
export const largestPartBytes = (config: NetworkConfig): number => Math.max(...partition(config).map(bytesOfPart));

/** The parameter that a tensor belongs to. For example, `<parameter>/m` is a state of `<parameter>`. */
export function parameterOf(name: string): string {
  return name.split("/", 1)[0]!;
}

/** Splits named values by part. A value that belongs to no parameter (an optimizer's `step`) goes into every part. */
export function splitByPart<T>(config: NetworkConfig, values: Readonly<Record<string, T>>): Record<string, T>[] {
  const parts = partition(config);
  const partOf = new Map(parts.flatMap((part, index) => part.map(([name]) => [name, index] as const)));
  const split: Record<string, T>[] = parts.map(() => ({}));
  for (const [name, value] of Object.entries(values)) {
    const part = partOf.get(parameterOf(name));
    if (part !== undefined) split[part]![name] = value;
    else for (const each of split) each[name] = value;
  }
  return split;
}
