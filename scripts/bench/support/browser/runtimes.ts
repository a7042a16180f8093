/**
 * Runtimes in a page of a browser: Tiffin's own, transformers.js, and llama.cpp as wllama. All run on one thread and greedily, in
 * float32 if nothing else is said.
 */
import type { BrowserContext, Page } from "playwright-core";
import type { LocalModel } from "../../../../shared/runtime/local-model.ts";
import type { Port } from "../../../../shared/runtime/messages.ts";

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
  /** Answers a question in at most `length` tokens. `rendered` is the question in the model's chat template. */
  answer(question: string, rendered: string, length: number): Promise<Generated>;
  /** Continues a plain text by at most `length` tokens. */
  resume(text: string, length: number): Promise<Generated>;
}

const PATIENCE_MS = 240_000;

/** Opens an address in a page of its own context. */
export async function pageOf(context: BrowserContext, url: string): Promise<Page> {
  context.setDefaultTimeout(PATIENCE_MS);
  const page = await context.newPage();
  await page.goto(url);
  return page;
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

/** A runtime that takes a rendered question like any other text. */
const runtimeOf = (run: (text: string, length: number) => Promise<Run>): PageRuntime => ({
  answer: async (_, rendered, length) => generatedOf(await run(rendered, length)),
  resume: async (text, length) => generatedOf(await run(text, length)),
});

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
  return runtimeOf((prompt, length) =>
    page.evaluate(
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
      [prompt, length] as const,
    ),
  );
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
  await page.evaluate(
    async ([file, contextSize]) => {
      const packages = new URL("/packages/@wllama/wllama/esm/", (globalThis as unknown as { location: { href: string } }).location.href)
        .href;
      const { Wllama: Runtime } = (await import(`${packages}index.min.js`)) as WllamaModule;
      const runtime = new Runtime({ default: `${packages}wasm/wllama.wasm` }, { suppressNativeLog: true });
      const weights = await (await fetch(file)).blob();
      const cache = { cache_type_k: "f32", cache_type_v: "f32", flash_attn: false };
      await runtime.loadModel([weights], { n_ctx: contextSize, n_threads: 1, n_gpu_layers: 0, n_parallel: 1, ...cache });
      Object.assign(globalThis, { runtime });
    },
    [path, positions] as const,
  );
  return runtimeOf((asked, length) =>
    page.evaluate(
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
      [asked, length] as const,
    ),
  );
}

/** Opens a model of the origin's hub in Tiffin's own runtime, in a worker. */
export async function openTiffin(context: BrowserContext, origin: string): Promise<PageRuntime> {
  const page = await pageOf(context, origin);
  await page.evaluate(async () => {
    const address = new URL("/tiffin.js", (globalThis as unknown as { location: { href: string } }).location.href);
    const { loadInWorker } = (await import(address.href)) as typeof import("../../../../shared/runtime/tiffin.ts");
    const { Worker } = globalThis as unknown as { Worker: new (url: URL, options: object) => Port };
    const model = await loadInWorker(
      new Worker(address, { type: "module", name: "tiffin" }),
      new URL("/hub/tiffin/active/resolve/main", address).href,
    );
    Object.assign(globalThis, { model });
  });
  const run = async (prompt: string, length: number, isQuestion: boolean) =>
    generatedOf(
      await page.evaluate(
        async ([text, maxTokens, hasTemplate]): Promise<Run> => {
          const { model } = globalThis as unknown as { model: LocalModel };
          const times: number[] = [];
          let made = "";
          const begun = performance.now();
          const input = hasTemplate ? text : await model.tokenize(text);
          for await (const piece of model.stream(input, { maxTokens, temperature: 0 })) {
            times.push(performance.now());
            made += piece;
          }
          return { text: made, begun, times };
        },
        [prompt, length, isQuestion] as const,
      ),
    );
  return { answer: (question, _, length) => run(question, length, true), resume: (text, length) => run(text, length, false) };
}
