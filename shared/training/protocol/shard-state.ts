/** What a shard keeps of a part between rounds, as trainers write it: its optimizer's state, and what compression has rounded away. */
import type { TrainingConfig } from "../../shared/config.ts";
import { RESIDUAL } from "../../shared/model/formats/compression.ts";
import { slotName, slotsOf } from "../../shared/training/compute/optimizer.ts";
import type { ShapedName } from "../../shared/model/weights.ts";

/** Names and shapes of a part's state, in order; none in exact rounds without compression. */
export function shardState(part: readonly ShapedName[], { steps, optimizer, compression }: TrainingConfig): ShapedName[] {
  const moments = part.flatMap(([name, shape]) => slotsOf(optimizer, name).map((slot): ShapedName => [slotName(name, slot), shape]));
  const residuals = part.map(([name, shape]): ShapedName => [`${name}${RESIDUAL}`, shape]);
  const step: ShapedName = ["step", []];
  return [steps === 1 ? [] : [step, ...moments], compression === "float32" ? [] : residuals].flat();
}
