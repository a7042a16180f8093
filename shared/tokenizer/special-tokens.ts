/**
 * The sixteen tokens that are neither bytes nor merges. They have the ids 0 to 15 in every vocabulary that is trained here. A
 * model can therefore learn conversations, tools, images or sound later without new rows in its tables.
 *
 * The names are from Qwen3 and Qwen3-Omni. As in these models, the tokens for tools and thinking are text tokens: decoding keeps
 * them, and encoding a text with their names produces them. All others are control tokens: decoding drops them, and no text
 * encodes to them.
 */
export interface SpecialToken {
  content: string;
  isText: boolean;
}

const control = (content: string): SpecialToken => ({ content, isText: false });
const text = (content: string): SpecialToken => ({ content, isText: true });

export const END_OF_TEXT = "<|endoftext|>";
export const MESSAGE_START = "<|im_start|>";
export const MESSAGE_END = "<|im_end|>";

/** A token's index in this list is its id. The list must not change, because checkpoints depend on the ids. */
export const SPECIAL_TOKENS: readonly SpecialToken[] = [
  control(END_OF_TEXT),
  control(MESSAGE_START),
  control(MESSAGE_END),
  text("<tool_call>"),
  text("</tool_call>"),
  text("<tool_response>"),
  text("</tool_response>"),
  text("<think>"),
  text("</think>"),
  control("<|vision_start|>"),
  control("<|vision_end|>"),
  control("<|image_pad|>"),
  control("<|audio_start|>"),
  control("<|audio_end|>"),
  control("<|audio_pad|>"),
  control("<|reserved_15|>"),
];
