/** Messages between a page and a worker that holds a model. A call and its replies carry the same id. */
import type { ModelConfig } from "../config.ts";
import type { Precision } from "../model/decoding/fused-weights.ts";
import type { GenerateOptions, Prompt } from "./local-model.ts";

export type Request =
  | { call: "load"; source: string; token: string | undefined; precision: Precision | undefined }
  | { call: "tokenize"; text: string }
  | { call: "detokenize"; ids: readonly number[] }
  | { call: "logits"; ids: readonly number[] }
  | { call: "stream"; prompt: Prompt; options: GenerateOptions }
  | { call: "stop"; stream: number }
  | { call: "dispose" };

/** The result of each call. */
export interface Results {
  load: ModelConfig;
  tokenize: number[];
  detokenize: string;
  logits: Float32Array;
  stream: null;
  stop: null;
  dispose: null;
}

export type Reply =
  | { kind: "progress"; done: number; total: number }
  | { kind: "delta"; text: string }
  | { kind: "result"; value: Results[keyof Results] }
  | { kind: "error"; message: string };

type Receive = (event: unknown) => void;

/** A Worker object, the global scope of a worker, or an end of a MessageChannel. */
export interface Port {
  postMessage(message: unknown): void;
  addEventListener(type: "message", receive: Receive): void;
  removeEventListener(type: "message", receive: Receive): void;
  /** An end of a MessageChannel delivers no message before it is started. */
  start?(): void;
}

/** Passes messages to `receive` until the returned function is called. */
export function listen<T>(port: Port, receive: (message: T) => void): () => void {
  const onMessage: Receive = (event) => receive((event as { data: T }).data);
  port.addEventListener("message", onMessage);
  port.start?.();
  return () => port.removeEventListener("message", onMessage);
}
