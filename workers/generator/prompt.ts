/** From a request to the ids that the model reads. */
import type { GenerateRequest } from "../../shared/contracts/generate.ts";
import type { LoadedModel } from "./model.ts";

/** Share of the context that a prompt may fill when the request asks for as many tokens as there is room for. */
const PROMPT_SHARE = 0.25;

/** The context as "key: value" lines, then the text, then a line break after which the answer begins. */
export function renderPrompt({ context = {}, text }: Pick<GenerateRequest, "context" | "text">): string {
  const lines = Object.entries(context).map(([key, value]) => `${key}: ${value}\n`);
  return `${lines.join("")}${text}\n`.toWellFormed();
}

/**
 * The ids of a prompt, and how many tokens the answer may have. The end of a long prompt is kept, because it holds the
 * question; at least a quarter of the context stays for the prompt.
 */
export function fitPrompt({ config, tokenizer }: LoadedModel, prompt: string, maxTokens: number): { ids: number[]; room: number } {
  const room = Math.max(1, Math.min(maxTokens, Math.floor(config.context * (1 - PROMPT_SHARE))));
  return { ids: tokenizer.encode(prompt).slice(-Math.max(1, config.context - room)), room };
}
