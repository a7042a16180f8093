/** The tokenizer as its users import it: the class is in encoding.ts, its file format in tokenizer-json.ts. */
export { SPECIAL_TOKENS, Tokenizer } from "./encoding.ts";
export { loadTokenizer } from "./tokenizer-json.ts";
