/**
 * `npm run bench -- trace [--passages 100] [--json]`: traces texts through the gateway in workerd. Passages cut from tinyshakespeare must
 * be found whole. Every passage that an answer names must occur in the documents that it names, also for texts of shuffled words.
 * Reports the bytes of the index per byte of tokens, and how long an answer takes.
 */
import "./support/tensors-in-node.ts";
import { objectKey } from "../../shared/artifacts.ts";
import type { Traced } from "../../shared/contracts/trace.ts";
import { createRandom } from "../../shared/model/random.ts";
import type { Print } from "../cli/runner.ts";
import { allWorkers, OPERATOR_TOKEN } from "./support/all-workers.ts";
import { median, quantile } from "./support/statistics.ts";
import { readText, SHAKESPEARE } from "./support/shakespeare.ts";

const VOCAB_SIZE = 4096;
const DOCUMENT_CHARACTERS = 8000;

export const FLAGS = { passages: 100, text: SHAKESPEARE };

export async function run({ passages, text: path }: typeof FLAGS, print: Print): Promise<Record<string, unknown>> {
  const { publishTraced } = await import("./support/traced-model.ts");
  const whole = readText(path);
  const documents = Array.from({ length: Math.ceil(whole.length / DOCUMENT_CHARACTERS) }, (_, index) => ({
    url: `https://example.com/${index}`,
    licence: "",
    text: whole.slice(index * DOCUMENT_CHARACTERS, (index + 1) * DOCUMENT_CHARACTERS).trim(),
  }));
  const server = allWorkers();
  const { url } = await server.listen();
  try {
    const { dataset, trace, buckets } = await publishTraced(server, documents, VOCAB_SIZE);
    const sizes = await Promise.all(
      trace.indexes.map(async (index) => (await buckets.ARTIFACTS.head(objectKey("trace-index", index)))!.size),
    );
    const indexPerTokenByte = sizes.reduce((sum, size) => sum + size, 0) / (2 * dataset.trainTokens);
    const lists = await Promise.all(
      trace.documents.map(async ({ list }) =>
        (await buckets.ARTIFACTS.get(objectKey("trace-documents", list)))!.json<{ documents: { url: string }[] }>(),
      ),
    );
    const urls = new Set(lists.flatMap((list) => list.documents.map((document) => document.url)));
    const trained = documents.filter((document) => urls.has(document.url));
    const random = createRandom(1);
    const times: number[] = [];
    const ask = async (text: string): Promise<Traced> => {
      const begun = performance.now();
      const response = await fetch(new URL("/trace", url), {
        method: "POST",
        headers: { "content-type": "application/json", authorization: `Bearer ${OPERATOR_TOKEN}` },
        body: JSON.stringify({ text }),
      });
      if (response.status !== 200) throw new Error(`trace: expected 200, got ${response.status} ${await response.text()}`);
      const traced = (await response.json()) as Traced;
      times.push(performance.now() - begun);
      return traced;
    };
    const isInvented = ({ text, passages: found }: Traced) =>
      found.some(
        (passage) =>
          text.slice(passage.start, passage.end) !== passage.text ||
          passage.documents.some((document) => !trained.find((each) => each.url === document.url)?.text.includes(passage.text)),
      );
    // The first answers load the model and the directories of the index.
    await ask("warm");
    await ask(whole.slice(0, 400));
    times.length = 0;
    let found = 0;
    let invented = 0;
    for (let index = 0; index < passages; index++) {
      const { text } = trained[Math.floor(random() * trained.length)]!;
      const start = Math.floor(random() * (text.length - 400));
      const cut = text.slice(start, start + 100 + Math.floor(random() * 300));
      const traced = await ask(cut);
      if (traced.passages[0]?.text === cut) found++;
      if (isInvented(traced)) invented++;
    }
    const words = whole.split(/\s+/);
    let foreignFound = 0;
    for (let index = 0; index < passages; index++) {
      const traced = await ask(Array.from({ length: 60 }, () => words[Math.floor(random() * words.length)]!).join(" "));
      if (isInvented(traced)) invented++;
      foreignFound += traced.passages.length;
    }
    const [medianMs, p99Ms] = [median(times), quantile(times, 0.99)];
    print(
      `${found} of ${passages} passages found whole; ${passages} shuffled texts: ${foreignFound} true passages of at least eight tokens; ${invented} invented`,
    );
    print(
      `index: ${indexPerTokenByte.toFixed(3)} bytes per byte of tokens; answers: median ${medianMs.toFixed(1)} ms, p99 ${p99Ms.toFixed(1)} ms`,
    );
    const ok = found === passages && invented === 0 && indexPerTokenByte <= 1.5 && medianMs <= 100;
    return { ok, passages, found, invented, foreignFound, trainTokens: dataset.trainTokens, indexPerTokenByte, medianMs, p99Ms };
  } finally {
    await server.close();
  }
}
