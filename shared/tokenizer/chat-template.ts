/**
 * Turns conversations into text and tokens. Training and serving share this code. The Jinja template gives users of an exported
 * model the same text. A model that was trained on conversations uses ChatML. Other models continue plain text, because they
 * have not learned ChatML's control tokens.
 *
 * A conversation becomes pieces of text and control tokens. A message is always a text piece, so its content cannot forge a
 * control token.
 */
import { MESSAGE_END, MESSAGE_START } from "./special-tokens.ts";
import type { Tokenizer } from "./tokenizer.ts";

export interface Message {
  role: "system" | "user" | "assistant";
  content: string;
}

export interface ChatPiece {
  text: string;
  isControl: boolean;
  /** True for pieces that the model writes: the content of an assistant's message and its end token. */
  isAnswer: boolean;
}

export interface ChatTemplate {
  /** The template for transformers' `apply_chat_template`, with the variables `messages` and `add_generation_prompt`. */
  jinja: string;
  /** Renders messages. `opensAnswer` adds the start of an assistant's message, for the model to continue. */
  render(messages: readonly Message[], opensAnswer: boolean): ChatPiece[];
}

const text = (content: string, isAnswer = false): ChatPiece => ({ text: content, isControl: false, isAnswer });
const control = (token: string, isAnswer = false): ChatPiece => ({ text: token, isControl: true, isAnswer });

/** Each message on a line. `/generate` uses this form for models that continue text. */
export const PLAIN: ChatTemplate = {
  jinja: String.raw`{% for message in messages %}{{ message['content'] + '\n' }}{% endfor %}`,
  render: (messages) => [text(messages.map(({ content }) => `${content}\n`).join(""))],
};

/** ChatML as in Qwen3, without tools. */
export const CHATML: ChatTemplate = {
  jinja: [
    String.raw`{% for message in messages %}{{ '${MESSAGE_START}' + message['role'] + '\n' + message['content'] + '${MESSAGE_END}' + '\n' }}{% endfor %}`,
    String.raw`{% if add_generation_prompt %}{{ '${MESSAGE_START}assistant\n' }}{% endif %}`,
  ].join(""),
  render: (messages, opensAnswer) => [
    ...messages.flatMap(({ role, content }) => {
      // The content is a separate piece, because the model generates it separately from "assistant\n".
      const body = role === "assistant" ? [text("assistant\n"), text(content, true)] : [text(`${role}\n${content}`)];
      return [control(MESSAGE_START), ...body, control(MESSAGE_END, role === "assistant"), text("\n")];
    }),
    ...(opensAnswer ? [control(MESSAGE_START), text("assistant\n")] : []),
  ],
};

/**
 * Chooses the template of a model by the end tokens in its checkpoint. If the end of a message is an end token, the model has
 * learned conversations.
 */
export function templateOf(endTokens: readonly number[] | undefined, messageEnd: number | undefined): ChatTemplate {
  return messageEnd !== undefined && endTokens?.includes(messageEnd) ? CHATML : PLAIN;
}

/** Joins the pieces to the text that the Jinja template renders. */
export function chatText(pieces: readonly ChatPiece[]): string {
  return pieces.map((piece) => piece.text).join("");
}

/** Encodes the pieces. `isAnswer` says for each id whether the model writes it. */
export function chatTokens(tokenizer: Tokenizer, pieces: readonly ChatPiece[]): { ids: number[]; isAnswer: boolean[] } {
  const ids: number[] = [];
  const isAnswer: boolean[] = [];
  for (const piece of pieces) {
    for (const id of piece.isControl ? [tokenizer.idOf(piece.text)] : tokenizer.encode(piece.text)) {
      ids.push(id);
      isAnswer.push(piece.isAnswer);
    }
  }
  return { ids, isAnswer };
}
