/** Compares token ids and texts of other readers of a tokenizer.json with ours. */
import { readFileSync } from "node:fs";
import { Tokenizer as Reference } from "@huggingface/tokenizers";
import { loadTokenizer } from "../../../../shared/tokenizer/json-reader.ts";
import type { Print } from "../../../cli/runner.ts";
import { rustTokenizer, type LlamaRuntime } from "./consumers.ts";
import { difficultTexts } from "./texts.ts";

const SHOWN = 5;

/**
 * A text counts if all readers agree. `path` is the tokenizer.json; `llama` has the same tokenizer from a GGUF file. The Rust
 * library always finds control tokens in a text. So it does not read the texts that contain names of control tokens;
 * `controlTexts` counts these texts.
 */
export async function compareTokens(path: string, llama: LlamaRuntime, print: Print) {
  const json = JSON.parse(readFileSync(path, "utf8")) as { added_tokens: { content: string; special: boolean }[] };
  const controls = json.added_tokens.filter(({ special }) => special);
  const hasControl = (text: string) => controls.some(({ content }) => text.includes(content));
  const tokenizer = loadTokenizer(json);
  const rust = await rustTokenizer(path);
  // The JavaScript library would find control tokens in a text. Here no text contains control tokens.
  const script = new Reference({ ...json, added_tokens: json.added_tokens.filter(({ special }) => !special) }, {});
  const consumers: Record<string, { encode(text: string): Promise<number[]> | number[]; decode(ids: number[]): Promise<string> | string }> =
    {
      tokenizers: rust,
      "@huggingface/tokenizers": {
        encode: (text) => script.encode(text).ids,
        decode: (ids) => script.decode(ids, { skip_special_tokens: true, clean_up_tokenization_spaces: false }),
      },
      "llama.cpp": llama,
    };
  const texts = difficultTexts();
  const result = { texts: texts.length, controlTexts: texts.filter(hasControl).length, sameIds: 0, sameText: 0 };
  let shown = 0;
  for (const text of texts) {
    const ids = tokenizer.encode(text);
    const decoded = tokenizer.decode(ids);
    let [isSameIds, isSameText] = [true, true];
    for (const [name, consumer] of Object.entries(consumers)) {
      if (consumer === rust && hasControl(text)) continue;
      const theirs = await consumer.encode(text);
      const hasIds = theirs.join() === ids.join();
      const hasText = (await consumer.decode(ids)) === decoded;
      if (!(hasIds && hasText) && shown++ < SHOWN)
        print(
          `  ${name} has other ${hasIds ? "text" : "ids"} of ${JSON.stringify(text.slice(0, 80))}: ${theirs.slice(0, 12)}, not ${ids.slice(0, 12)}`,
        );
      isSameIds &&= hasIds;
      isSameText &&= hasText;
    }
    if (isSameIds) result.sameIds++;
    if (isSameText) result.sameText++;
  }
  return result;
}
