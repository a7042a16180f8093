/** The vectors of texts or token ids, one after the other, so that other requests of the isolate run between two texts. */
import { MAX_EMBEDDED_TOKENS, type EmbeddingInput, type Embeddings } from "../../shared/contracts/embeddings.ts";
import { namedError } from "../../shared/errors.ts";
import { embed } from "../../shared/model/embed.ts";
import { account } from "./account.ts";
import type { LoadedModel, ModelHold } from "./model.ts";

function idsOf({ config, tokenizer }: LoadedModel, input: EmbeddingInput, index: number): number[] {
  const ids = typeof input === "string" ? tokenizer.encode(input) : input;
  const unknown = ids.find((id) => id >= config.vocabSize);
  if (unknown !== undefined)
    throw namedError("InvalidInput", `input.${index}: expected token ids below ${config.vocabSize}, got ${unknown}`);
  if (ids.length < 1 || ids.length > config.context)
    throw namedError(
      "InvalidInput",
      `input.${index}: expected 1..${config.context} tokens, which the model reads at once, got ${ids.length}`,
    );
  return ids;
}

/** Throws InvalidInput for too many tokens or unknown ids, and Busy if the time of a turn is not enough. */
export async function embedInputs(hold: ModelHold, inputs: readonly EmbeddingInput[]): Promise<Embeddings> {
  const { weights, config, hash } = hold.model;
  const all = inputs.map((input, index) => idsOf(hold.model, input, index));
  const tokens = all.reduce((sum, ids) => sum + ids.length, 0);
  if (tokens > MAX_EMBEDDED_TOKENS)
    throw namedError("InvalidInput", `input: expected at most ${MAX_EMBEDDED_TOKENS} tokens in all, got ${tokens}`);
  const vectors: Float32Array[] = [];
  for (const ids of all) {
    if (hold.hasLapsed()) throw namedError("Busy", "input: expected fewer texts, the time of a request is over: send half as many");
    vectors.push(embed(weights, config, ids));
    account.count(ids.length);
    await scheduler.wait(0);
  }
  return { model: hash, vectors, tokens };
}
