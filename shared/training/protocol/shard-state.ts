/** The state that a shard keeps between rounds, per part of the model: optimizer moments and rounding errors of compression. */
import type { TrainingConfig } from "../../config.ts";
import { RESIDUAL } from "../../model/formats/compression.ts";
import type { ShapedName } from "../../model/weights.ts";
import { slotName, slotsOf } from "../compute/optimizer.ts";

/** Names and shapes of a part's state, in the order in which trainers write them. Empty for `steps` = 1 without compression. */
export function shardState(part: readonly ShapedName[], { steps, optimizer, compression }: TrainingConfig): ShapedName[] {
  const moments = part.flatMap(([name, shape]) => slotsOf(optimizer, name).map((slot): ShapedName => [slotName(name, slot), shape]));
  const residuals = part.map(([name, shape]): ShapedName => [`${name}${RESIDUAL}`, shape]);
  const step: ShapedName = ["step", []];
  return [steps === 1 ? [] : [step, ...moments], compression === "float32" ? [] : residuals].flat();
}
