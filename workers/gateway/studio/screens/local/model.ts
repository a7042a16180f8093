/** Runs the active model in a worker of this tab (shared/runtime), and holds the state that the page shows. */
import { signal } from "@preact/signals";
import type { LocalModel } from "../../../../../shared/runtime/local-model.ts";
import { connect } from "../../../../../shared/runtime/connect.ts";
import { WORKER_TRUSTED_TYPE } from "../../policy.ts";

/** The address of the runtime's file. scripts/build/studio.ts writes it here. */
declare const RUNTIME_ADDRESS: string;

/** The runtime answers calls from a page if its worker has this name. */
const WORKER_NAME = "tiffin";
const MODEL = "/hub/tiffin/active/resolve/main/";

export type State =
  | { kind: "absent" }
  | { kind: "loading"; done: number; total: number }
  | { kind: "ready" }
  | { kind: "answering" }
  | { kind: "failed"; reason: string };

export const state = signal<State>({ kind: "absent" });
export const answer = signal("");
/** Tokens of the last answer and the seconds that they took. */
export const speed = signal<{ tokens: number; seconds: number } | null>(null);

let model: LocalModel | null = null;
let isStopped = false;

/** TypeScript's library does not know Trusted Types yet. Browsers without them take the plain address. */
interface TrustedTypes {
  createPolicy(name: string, rules: { createScriptURL(url: string): string }): { createScriptURL(url: string): unknown };
}

function runtimeAddress(): string {
  const { trustedTypes } = globalThis as { trustedTypes?: TrustedTypes };
  if (trustedTypes === undefined) return RUNTIME_ADDRESS;
  const policy = trustedTypes.createPolicy(WORKER_TRUSTED_TYPE, { createScriptURL: (url) => url });
  return policy.createScriptURL(RUNTIME_ADDRESS) as string;
}

let worker: Worker | null = null;

/** Loads the model. After that, the tab needs no server. */
export async function load(): Promise<void> {
  state.value = { kind: "loading", done: 0, total: 0 };
  try {
    worker ??= new Worker(runtimeAddress(), { type: "module", name: WORKER_NAME });
    const failed = new Promise<never>((_, reject) => {
      worker!.addEventListener("error", () => reject(new Error("the runtime cannot start in this browser")), { once: true });
    });
    const onProgress = (done: number, total: number) => {
      state.value = { kind: "loading", done, total };
    };
    model = await Promise.race([connect(worker, new URL(MODEL, location.href).href, { onProgress }), failed]);
    state.value = { kind: "ready" };
  } catch (error) {
    state.value = { kind: "failed", reason: (error as Error).message };
  }
}

export async function ask(question: string, temperature: number, maxTokens: number): Promise<void> {
  if (model === null) return;
  state.value = { kind: "answering" };
  answer.value = "";
  isStopped = false;
  const begun = performance.now();
  let tokens = 0;
  try {
    for await (const piece of model.stream(question, { temperature, maxTokens })) {
      tokens++;
      answer.value += piece;
      speed.value = { tokens, seconds: (performance.now() - begun) / 1000 };
      if (isStopped) break;
    }
    state.value = { kind: "ready" };
  } catch (error) {
    state.value = { kind: "failed", reason: (error as Error).message };
  }
}

export function stop(): void {
  isStopped = true;
}
