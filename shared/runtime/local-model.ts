/** The interface of a loaded model, which runs in this thread or in a worker. */
import type { ModelConfig } from "../config.ts";
import type { Precision } from "../model/decoding/fused-weights.ts";
import type { SamplingSettings } from "../model/sampling.ts";
import type { Message } from "../tokenizer/chat-template.ts";

/** A question, a conversation, or token ids. Token ids get no template. */
export type Prompt = string | readonly Message[] | readonly number[];

export interface LoadOptions {
  /** The operator's token. Models need it unless they are public. */
  token?: string;
  /** The numbers that products use. The default is that of the Worker generator: float32, so that both give the same text. */
  precision?: Precision;
  /** Called with the number of bytes that have arrived, and the size of the weights. */
  onProgress?: (done: number, total: number) => void;
}

/** The defaults are those of the model's generation_config.json. */
export interface GenerateOptions extends Partial<SamplingSettings> {
  maxTokens?: number;
  seed?: number;
  stop?: readonly string[];
}

export interface LocalModel {
  readonly config: ModelConfig;
  tokenize(text: string): Promise<number[]>;
  detokenize(ids: readonly number[]): Promise<string>;
  /** Returns the logits [V] after the last id. */
  logits(ids: readonly number[]): Promise<Float32Array>;
  /** Yields the answer in pieces, one per token and perhaps one more. A piece may be empty. Leaving the loop ends the generation. */
  stream(prompt: Prompt, options?: GenerateOptions): AsyncGenerator<string>;
  generate(prompt: Prompt, options?: GenerateOptions): Promise<string>;
  dispose(): Promise<void>;
}
