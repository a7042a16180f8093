/**
 * Runtimes in a page of a browser: Tiffin's own page `/local`, transformers.js, and llama.cpp as wllama. All run on one thread,
 * in float32, and greedily.
 */
import type { BrowserContext, Page } from "playwright-core";
import { createCode } from "../../../../shared/session-codes.ts";

/** One greedy text with its times in the page's clock, in ms. */
export interface Generated {
  text: string;
  tokens: number;
  /** From the request to the first token. */
  firstMs: number;
  /** From the request to the last token. */
  totalMs: number;
}

export interface PageRuntime {
  /** From the arrival of the weights until the runtime takes requests; null if the runtime does not show it. */
  readyMs: number | null;
  /** Answers a question, in at most `length` tokens. `rendered` is the question in the model's chat template. */
  answer(question: string, rendered: string, length: number): Promise<Generated>;
}

const PATIENCE_MS = 240_000;

async function pageOf(context: BrowserContext, url: string): Promise<Page> {
  context.setDefaultTimeout(PATIENCE_MS);
  const page = await context.newPage();
  await page.goto(url);
  return page;
}

/** Records when the weights have arrived, when questions are possible, and when an answer begins and grows. */
const OBSERVE = `
  globalThis.seen = { arrived: 0, ready: 0, asked: 0, changes: [] };
  let length = 0;
  new MutationObserver(() => {
    const now = performance.now();
    const progress = document.querySelector("main progress");
    if (progress !== null && progress.value > 0) seen.arrived = now;
    if (seen.ready === 0 && document.querySelector("main form") !== null) seen.ready = now;
    const text = document.querySelector("main .answer .text")?.textContent ?? "";
    if (text.length > length) seen.changes.push(now);
    length = text.length;
  }).observe(document, { subtree: true, childList: true, characterData: true, attributes: true });
  addEventListener("submit", () => { seen.asked = performance.now(); seen.changes = []; }, true);
`;

interface Seen {
  arrived: number;
  ready: number;
  asked: number;
  changes: number[];
}

/** Opens `/local` as the operator and loads the active model with its button. */
export async function openLocal(context: BrowserContext, { url, token }: { url: string; token: string }): Promise<PageRuntime> {
  const { code } = await createCode(token, "link", Date.now());
  const page = await pageOf(context, `${url}/studio/#code=${code}`);
  await page.getByRole("button", { name: "Sign out" }).waitFor();
  await page.addInitScript(OBSERVE);
  await page.goto(`${url}/local`);
  await page.locator("#app[data-live]").waitFor({ state: "attached" });
  await page.getByRole("button", { name: "Load the model" }).click();
  await page.getByLabel("Question").waitFor();
  const { arrived, ready } = (await page.evaluate("seen")) as Seen;
  if (arrived === 0) throw new Error("/local: expected progress of the weights, saw none");
  return {
    readyMs: ready - arrived,
    async answer(question, _, length) {
      await page.getByLabel("Temperature").fill("0");
      await page.getByLabel("Tokens at most").fill(String(length));
      await page.getByLabel("Question").fill(question);
      await page.getByRole("button", { name: "Ask" }).click();
      const answer = page.getByRole("region", { name: "Answer" });
      await answer.locator(".speed").waitFor();
      await page.locator('.answer[aria-busy="false"]').waitFor();
      const speed = (await answer.locator(".speed").textContent()) ?? "";
      const tokens = Number(/^(\d+) tokens? in /.exec(speed)?.[1]);
      const { asked, changes } = (await page.evaluate("seen")) as Seen;
      const [first = Number.NaN] = changes;
      const text = (await answer.locator(".text").textContent()) ?? "";
      return { text, tokens, firstMs: first - asked, totalMs: (changes.at(-1) ?? first) - asked };
    },
  };
}

/** The text of one run and the times of its tokens in the page's clock. */
interface Run {
  text: string;
  begun: number;
  times: number[];
}

const generatedOf = ({ text, begun, times }: Run): Generated => {
  const [first = Number.NaN] = times;
  return { text, tokens: times.length, firstMs: first - begun, totalMs: (times.at(-1) ?? first) - begun };
};

interface Transformers {
  env: Record<string, unknown> & { backends: { onnx: { wasm: Record<string, unknown> } } };
  pipeline(task: string, model: string, options: object): Promise<Generate>;
  TextStreamer: new (tokenizer: unknown, options: object) => unknown;
}
type Generate = ((text: string, options: object) => Promise<{ generated_text: string }[]>) & { tokenizer: unknown };

/** Opens a model of the origin's hub in transformers.js. */
export async function openTransformers(context: BrowserContext, origin: string, name: string, dtype: "fp32" | "q8"): Promise<PageRuntime> {
  const page = await pageOf(context, origin);
  await page.evaluate(
    async ([model, type]) => {
      const packages = new URL("/packages/", (globalThis as unknown as { location: { href: string } }).location.href).href;
      const module = (await import(`${packages}@huggingface/transformers/dist/transformers.min.js`)) as Transformers;
      const settings = {
        allowLocalModels: false,
        useBrowserCache: false,
        useWasmCache: false,
        remoteHost: new URL("/hub/", packages).href,
      };
      Object.assign(module.env, settings);
      Object.assign(module.env.backends.onnx.wasm, { wasmPaths: `${packages}onnxruntime-web/dist/`, numThreads: 1 });
      const generate = await module.pipeline("text-generation", model!, { dtype: type, device: "wasm" });
      Object.assign(globalThis, { module, generate });
    },
    [name, dtype] as const,
  );
  return {
    readyMs: null,
    async answer(_, rendered, length) {
      const run = await page.evaluate(
        async ([text, most]): Promise<Run> => {
          const { module, generate } = globalThis as unknown as { module: Transformers; generate: Generate };
          const times: number[] = [];
          const options = {
            skip_prompt: true,
            callback_function: () => undefined,
            token_callback_function: () => times.push(performance.now()),
          };
          const streamer = new module.TextStreamer(generate.tokenizer, options);
          const begun = performance.now();
          const [made] = await generate(text, { max_new_tokens: most, do_sample: false, return_full_text: false, streamer });
          return { text: made?.generated_text ?? "", begun, times };
        },
        [rendered, length] as const,
      );
      return generatedOf(run);
    },
  };
}

interface Wllama {
  loadModel(files: readonly Blob[], options: object): Promise<void>;
  createCompletion(options: object): Promise<void>;
}
interface WllamaModule {
  Wllama: new (paths: { default: string }, options: object) => Wllama;
}

/** Opens a GGUF file of the origin's hub in llama.cpp, compiled to WebAssembly. */
export async function openWllama(context: BrowserContext, origin: string, path: string, positions: number): Promise<PageRuntime> {
  const page = await pageOf(context, origin);
  const readyMs = await page.evaluate(
    async ([file, contextSize]) => {
      const packages = new URL("/packages/@wllama/wllama/esm/", (globalThis as unknown as { location: { href: string } }).location.href)
        .href;
      const { Wllama: Runtime } = (await import(`${packages}index.min.js`)) as WllamaModule;
      const runtime = new Runtime({ default: `${packages}wasm/wllama.wasm` }, { suppressNativeLog: true });
      const weights = await (await fetch(file)).blob();
      const arrived = performance.now();
      const cache = { cache_type_k: "f32", cache_type_v: "f32", flash_attn: false };
      await runtime.loadModel([weights], { n_ctx: contextSize, n_threads: 1, n_gpu_layers: 0, n_parallel: 1, ...cache });
      Object.assign(globalThis, { runtime });
      return performance.now() - arrived;
    },
    [path, positions] as const,
  );
  return {
    readyMs,
    async answer(_, rendered, length) {
      const run = await page.evaluate(
        async ([prompt, most]): Promise<Run> => {
          const { runtime } = globalThis as unknown as { runtime: Wllama };
          const times: number[] = [];
          let text = "";
          const onData = ({ choices }: { choices: { text: string; finish_reason: string | null }[] }) => {
            const [choice] = choices;
            if (choice === undefined || (choice.text === "" && choice.finish_reason !== null)) return;
            times.push(performance.now());
            text += choice.text;
          };
          const begun = performance.now();
          await runtime.createCompletion({ prompt, max_tokens: most, temperature: 0, stream: true, onData });
          return { text, begun, times };
        },
        [rendered, length] as const,
      );
      return generatedOf(run);
    },
  };
}
