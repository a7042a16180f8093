/**
 * `npm run bench -- curve [--steps 50] [--text FILE]`: compares two loss curves of preset shakespeare-char in workerd: with
 * the fused ops, and with the plain ops that define them. Weights and data are equal, so only rounding may differ.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createTestHarness } from "wrangler";
import { presetOf } from "../../shared/config.ts";
import type { Print } from "../cli/runner.ts";
import { largestGap, syntheticTokens } from "./workers/curve/loss-curve.ts";

const MAX_GAP = 1e-3;
const SYNTHETIC_TOKENS = 200_000;

/** A text's characters as ids, in the order of their codes. The preset expects this order. */
function charactersOf(path: string, vocabSize: number): Uint16Array {
  const characters = Array.from(readFileSync(path, "utf8"));
  const vocabulary = [...new Set(characters)].toSorted();
  if (vocabulary.length > vocabSize) throw new Error(`curve: expected at most ${vocabSize} different characters, got ${vocabulary.length}`);
  const ids = new Map(vocabulary.map((character, id) => [character, id]));
  return Uint16Array.from(characters, (character) => ids.get(character)!);
}

export const FLAGS = { steps: 50, text: "" };

export async function run({ steps, text }: typeof FLAGS, print: Print): Promise<Record<string, unknown>> {
  const { vocabSize } = presetOf("shakespeare-char");
  if (text === "") print("no --text FILE given: using a synthetic sequence");
  const tokens = text === "" ? syntheticTokens(SYNTHETIC_TOKENS, vocabSize) : charactersOf(text, vocabSize);
  const server = createTestHarness({ workers: [{ configPath: join(import.meta.dirname, "workers/curve/wrangler.toml") }] });
  await server.listen();
  try {
    const train = async (ops: string) => {
      const start = performance.now();
      const response = await server.fetch(`http://curve/?ops=${ops}&steps=${steps}`, { method: "POST", body: tokens });
      const losses = (await response.json()) as number[];
      return { losses, msPerStep: (performance.now() - start) / steps };
    };
    const fused = await train("fused");
    const plain = await train("plain");
    for (let step = 0; step < steps; step += Math.ceil(steps / 10)) {
      print(`step ${String(step).padStart(4)}   fused ${fused.losses[step]!.toFixed(6)}   plain ${plain.losses[step]!.toFixed(6)}`);
    }
    const gap = largestGap(fused.losses, plain.losses);
    print(
      `largest difference ${gap.toExponential(2)} (at most ${MAX_GAP}); plain takes ${(plain.msPerStep / fused.msPerStep).toFixed(2)} times as long`,
    );
    return { ok: gap <= MAX_GAP, steps, gap, timesAsLong: plain.msPerStep / fused.msPerStep };
  } finally {
    await server.close();
  }
}
