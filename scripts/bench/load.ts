/**
 * `npm run bench -- load [--clients 50] [--seconds 60] [--tokens 64] [--json]`: parallel clients of POST /v1/completions against all
 * Workers on loopback, with a small model of random weights. First one client asks alone for a third of the time, then all together.
 * A client that gets 429 waits as long as Retry-After says. Reports errors besides 429, tokens per second beside those of one
 * client, the times of accepted requests, and the memory of workerd at a third and at the end of the load.
 */
import "./support/tensors-in-node.ts";
import { SPECIAL_TOKENS } from "../../shared/tokenizer/special-tokens.ts";
import type { Print } from "../cli/runner.ts";
import { allWorkers, OPERATOR_TOKEN } from "./support/all-workers.ts";
import { childMemory } from "./support/process-memory.ts";
import { quantile } from "./support/statistics.ts";

const MIB = 2 ** 20;
const VOCAB_SIZE = 512;
const SENTENCE = "The kettle sings while the tea is poured for everybody at the long table. ";
/** Control tokens would end the texts of random weights at once. */
const NO_END = Object.fromEntries(SPECIAL_TOKENS.map((_, id) => [id, -100]));
/** Memory may vary by so much between two moments of equal load. */
const FLAT_SHARE = 0.1;

export const FLAGS = { clients: 50, seconds: 60, tokens: 64 };

interface Counts {
  tokens: number;
  accepted: number[];
  busy: number;
  others: string[];
}

const workerdMegabytes = () => childMemory("workerd") / MIB;

export async function run({ clients, seconds, tokens }: typeof FLAGS, print: Print): Promise<Record<string, unknown>> {
  const { publishTraced } = await import("./support/traced-model.ts");
  const server = allWorkers();
  const { url } = await server.listen();
  try {
    const documents = Array.from({ length: 40 }, (_, index) => ({
      url: `https://example.com/${index}`,
      licence: "",
      text: `${index} ${SENTENCE}`.repeat(20),
    }));
    await publishTraced(server, documents, VOCAB_SIZE);
    const ask = async (counts: Counts, seed: number) => {
      const begun = performance.now();
      const response = await fetch(new URL("/v1/completions", url), {
        method: "POST",
        headers: { "content-type": "application/json", authorization: `Bearer ${OPERATOR_TOKEN}` },
        body: JSON.stringify({ model: "tiffin", prompt: SENTENCE, max_tokens: tokens, seed, logit_bias: NO_END }),
      });
      const text = await response.text();
      if (response.status === 429) {
        counts.busy++;
        await new Promise((resolve) => setTimeout(resolve, 1000 * Number(response.headers.get("retry-after") ?? 1)));
      } else if (response.status === 200) {
        counts.accepted.push(performance.now() - begun);
        counts.tokens += (JSON.parse(text) as { usage: { completion_tokens: number } }).usage.completion_tokens;
      } else counts.others.push(`${response.status} ${text.slice(0, 100)}`);
    };
    const load = async (count: number, forSeconds: number, during: () => void = () => undefined) => {
      const counts: Counts = { tokens: 0, accepted: [], busy: 0, others: [] };
      const begun = performance.now();
      const end = begun + 1000 * forSeconds;
      const timer = setTimeout(during, (1000 * forSeconds) / 3);
      await Promise.all(
        Array.from({ length: count }, async (_, client) => {
          for (let turn = 0; performance.now() < end; turn++)
            await ask(counts, 1000 * client + turn).catch((error: Error) => counts.others.push(error.message));
        }),
      );
      clearTimeout(timer);
      return { ...counts, tokensPerSecond: counts.tokens / ((performance.now() - begun) / 1000) };
    };
    await load(1, 2);
    const alone = await load(1, seconds / 3);
    let thirdMB = 0;
    const all = await load(clients, seconds, () => {
      thirdMB = workerdMegabytes();
    });
    const endMB = workerdMegabytes();
    const answers = all.accepted.length;
    const p99Ms = quantile(all.accepted, 0.99);
    const ratio = all.tokensPerSecond / alone.tokensPerSecond;
    print(
      `one client: ${alone.tokensPerSecond.toFixed(0)} tokens/s; ${clients} clients: ${all.tokensPerSecond.toFixed(0)}, ${ratio.toFixed(2)} times as many`,
    );
    print(`${answers} answers, ${all.busy} times 429, ${all.others.length} other errors; p99 ${p99Ms.toFixed(0)} ms`);
    print(`workerd: ${thirdMB.toFixed(0)} MB after a third, ${endMB.toFixed(0)} MB at the end`);
    for (const other of new Set(all.others)) print(`error: ${other}`);
    const ok = all.others.length === 0 && answers > 0 && ratio >= 0.9 && endMB <= (1 + FLAT_SHARE) * thirdMB;
    const { busy, others, tokensPerSecond } = all;
    const measured = { answers, busy, others: others.length, p99Ms, thirdMB, endMB };
    return { ok, clients, seconds, aloneTokensPerSecond: alone.tokensPerSecond, tokensPerSecond, ratio, ...measured };
  } finally {
    await server.close();
  }
}
