/**
 * Feeds damaged tokenizer.json files to the reader. For each file the reader must either throw an error that names the file,
 * or return a tokenizer with the same ids as Hugging Face's JavaScript library.
 */
import { Tokenizer as Reference } from "@huggingface/tokenizers";
import { createRandom } from "../../../shared/model/random.ts";
import { parseTokenizer } from "../../../shared/tokenizer/json-reader.ts";
import { tokenizerToJson } from "../../../shared/tokenizer/json-writer.ts";
import { FORMER_LAYOUT, LAYOUT } from "../../../shared/tokenizer/layout.ts";
import type { Tokenizer } from "../../../shared/tokenizer/tokenizer.ts";
import { mutateJson } from "./mutated-json.ts";
import { trainTokenizer } from "./train-tokenizer.ts";

const TEXT = "the other mother gathers the weather, then these others bother to think together; that is the theme. ";
const PROBES = [TEXT, "The THREE don't\r\n\n  42 ½", "e\u0301é 日本 😀\u200d<think>so</think>\t\0", "ab a th a<think", " ".repeat(50), "x"];

export interface HostileResult {
  files: number;
  refused: number;
  /** Accepted, with the same ids as the reference. */
  right: number;
  /** One description per violation, with the number of the file. */
  wrong: string[];
  slowestMs: number;
}

/** Reads `files` damaged files, starting with number `first`. Equal numbers give equal files. */
export function readHostileTokenizers(first: number, files: number): HostileResult {
  const sources = [LAYOUT, FORMER_LAYOUT].map((layout) => {
    const { vocabulary } = trainTokenizer([TEXT], layout, 24);
    return new TextEncoder().encode(JSON.stringify(tokenizerToJson(vocabulary)));
  });
  const result: HostileResult = { files, refused: 0, right: 0, wrong: [], slowestMs: 0 };
  for (let number = first; number < first + files; number++) {
    const bytes = mutateJson(sources[number % sources.length]!, createRandom(number));
    const begun = performance.now();
    const outcome = outcomeOf(bytes);
    result.slowestMs = Math.max(result.slowestMs, performance.now() - begun);
    if (outcome === "refused" || outcome === "right") result[outcome]++;
    else result.wrong.push(`${number}: ${outcome}`);
  }
  return result;
}

function outcomeOf(bytes: Uint8Array): string {
  let tokenizer: Tokenizer;
  try {
    tokenizer = parseTokenizer(bytes);
  } catch (error) {
    const { message } = error as Error;
    if (!message.startsWith("tokenizer.json: ")) return `expected an error that names tokenizer.json, got ${message.slice(0, 200)}`;
    return message.length < 200_000 ? "refused" : `expected a short error, got ${message.length} characters`;
  }
  const json = JSON.parse(new TextDecoder().decode(bytes)) as { added_tokens: { special: boolean }[] };
  // The library would remove control tokens from a text; our reader keeps them as text.
  const reference = new Reference({ ...json, added_tokens: json.added_tokens.filter(({ special }) => !special) }, {});
  for (const probe of PROBES) {
    const [ids, expected] = [tokenizer.encode(probe), reference.encode(probe).ids];
    if (ids.join() !== expected.join()) return `expected ids ${expected.join(" ")} for ${JSON.stringify(probe)}, got ${ids.join(" ")}`;
  }
  return "right";
}
