/** Compares exports of a model in smaller number types with the float32 export, on held-out text. */
import type { Print } from "../../../cli/runner.ts";
import { judge } from "./comparisons.ts";

export interface Runtime {
  /** The logits [V] after each position. */
  logits(ids: readonly number[]): Promise<readonly Float32Array[]>;
  close(): Promise<void>;
}

/**
 * `lossRatio` is the loss divided by the loss in float32. `sameMostProbable` is the share of positions with the same most
 * probable token.
 */
export interface TypeCost {
  lossRatio: number;
  sameMostProbable: number;
}

/** Opens each runtime in turn and compares it with `exact`, which stays open. */
export async function compareTypes<Name extends string>(
  windows: readonly (readonly number[])[],
  exact: Runtime,
  types: Readonly<Record<Name, () => Promise<Runtime>>>,
  print: Print,
): Promise<Record<Name, TypeCost>> {
  const reference = await judge(windows, (ids) => exact.logits(ids));
  const costs = {} as Record<Name, TypeCost>;
  for (const name of Object.keys(types) as Name[]) {
    const runtime = await types[name]();
    const { loss, best } = await judge(windows, (ids) => runtime.logits(ids));
    await runtime.close();
    const same = best.filter((id, at) => id === reference.best[at]).length / best.length;
    costs[name] = { lossRatio: loss / reference.loss, sameMostProbable: same };
    print(
      `${name}: loss ${loss.toFixed(4)} (float32 ${reference.loss.toFixed(4)}), most probable token the same in ${(100 * same).toFixed(2)} %`,
    );
  }
  return costs;
}
