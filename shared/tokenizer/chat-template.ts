/**
 * The one place that turns a conversation into text and tokens, for training and for serving, with the same template as Jinja
 * for everyone who runs an exported model. A model that has learned conversations uses ChatML; any other model continues plain
 * text, for which ChatML's control tokens would be noise.
 *
 * A conversation becomes pieces of text and control tokens. A message is always text, so it cannot forge its own end.
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
  /** The model writes this piece itself: the content of an assistant's message and the token that ends it. */
  isAnswer: boolean;
}

export interface ChatTemplate {
  /** The template for `apply_chat_template`, with `messages` and `add_generation_prompt`. */
  jinja: string;
  /** `opensAnswer` adds the start of an assistant's message, which the model then continues. */
  render(messages: readonly Message[], opensAnswer: boolean): ChatPiece[];
}

const text = (content: string, isAnswer = false): ChatPiece => ({ text: content, isControl: false, isAnswer });
const control = (token: string, isAnswer = false): ChatPiece => ({ text: token, isControl: true, isAnswer });

/** Every message and a line break, which is how the prompt of `/generate` looks to a model that continues text. */
export const PLAIN: ChatTemplate = {
  jinja: String.raw`{% for message in messages %}{{ message['content'] + '\n' }}{% endfor %}`,
  render: (messages) => [text(messages.map(({ content }) => `${content}\n`).join(""))],
};

/** ChatML, as Qwen3 has it without tools. */
export const CHATML: ChatTemplate = {
  jinja: [
    String.raw`{% for message in messages %}{{ '${MESSAGE_START}' + message['role'] + '\n' + message['content'] + '${MESSAGE_END}' + '\n' }}{% endfor %}`,
    String.raw`{% if add_generation_prompt %}{{ '${MESSAGE_START}assistant\n' }}{% endif %}`,
  ].join(""),
  render: (messages, opensAnswer) => [
    ...messages.flatMap(({ role, content }) => {
      // An answer is encoded apart from its opening, because the model writes it apart.
      const body = role === "assistant" ? [text("assistant\n"), text(content, true)] : [text(`${role}\n${content}`)];
      return [control(MESSAGE_START), ...body, control(MESSAGE_END, role === "assistant"), text("\n")];
    }),
    ...(opensAnswer ? [control(MESSAGE_START), text("assistant\n")] : []),
  ],
};

/**
 * The template of a model by the end tokens that its checkpoint states, which may be none. A model whose texts end with the
 * end of a message has learned conversations.
 */
export function templateOf(endTokens: readonly number[] | undefined, messageEnd: number | undefined): ChatTemplate {
  return messageEnd !== undefined && endTokens?.includes(messageEnd) ? CHATML : PLAIN;
}

/** The pieces as one text, which is what the Jinja template renders. */
export function chatText(pieces: readonly ChatPiece[]): string {
  return pieces.map((piece) => piece.text).join("");
}

/** The ids of the pieces, and for each id whether the model writes it itself. */
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
