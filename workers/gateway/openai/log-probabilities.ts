/** Probabilities of tokens in the form of each OpenAI route. If a token ends in the middle of a character, its text is U+FFFD. */
import { textOf } from "../../../shared/bytes/text-of.ts";
import type { PromptToken, TokenEvent } from "../../../shared/contracts/generation.ts";

type Token = Pick<TokenEvent, "bytes" | "logProbability">;
/** A token of the text or of a prompt that the text repeats. */
export type ShownToken = PromptToken | TokenEvent;

const shownText = ({ bytes }: Pick<Token, "bytes">) => textOf(Uint8Array.from(bytes));
const entryOf = (token: Pick<Token, "bytes"> & { logProbability: number | null }) => ({
  token: shownText(token),
  logprob: token.logProbability,
  bytes: token.bytes,
});

export function chatLogProbabilities(tokens: readonly ShownToken[]): object {
  return { content: tokens.map((token) => ({ ...entryOf(token), top_logprobs: token.alternatives.map(entryOf) })), refusal: null };
}

/** `offset` is the length of the text before the tokens. */
export function completionLogProbabilities(tokens: readonly ShownToken[], offset: number): object {
  let next = offset;
  const offsets = tokens.map((token) => {
    const at = next;
    next += shownText(token).length;
    return at;
  });
  return {
    tokens: tokens.map(shownText),
    token_logprobs: tokens.map(({ logProbability }) => logProbability),
    top_logprobs: tokens.map(({ logProbability, alternatives }) =>
      logProbability === null ? null : Object.fromEntries(alternatives.map((token) => [shownText(token), token.logProbability])),
    ),
    text_offset: offsets,
  };
}
