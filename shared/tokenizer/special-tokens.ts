/**
 * The sixteen tokens that are not bytes or merges. They have the ids 0 to 15 in every vocabulary made here, so that a model
 * can learn conversations, tools, images or sound later without a change of its tables.
 *
 * Names are Qwen3's and Qwen3-Omni's. As there, the tokens of tools and thinking are text: a decoder keeps them, and an
 * encoder that meets their names in a text makes them. All others are control tokens: they have no text, and no text makes them.
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

/** A token's place in this list is its id. The list is fixed: checkpoints depend on it. */
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
