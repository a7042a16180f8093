/**
 * Restricts the tokens of a text so that it keeps a format: JSON, JSON of a schema, or a regular expression. Before each token,
 * the bytes of all tokens walk through the format's automaton. A token may follow if its bytes can, and if the rest of the
 * format then fits into the tokens that are left. So a text ends in its format, unless its format needs more tokens from the start.
 */
import { namedError } from "../../errors.ts";
import type { Tokenizer } from "../../tokenizer/tokenizer.ts";
import { plainCharacter } from "./characters.ts";
import { Automaton } from "./automaton.ts";
import type { Expression } from "./expression.ts";
import { anyObject } from "./json-values.ts";
import { schemaExpression } from "./json-schema.ts";
import { patternExpression } from "./pattern.ts";
import { keyOf, tokenTable, type TokenTable } from "./token-table.ts";

export type Format =
  /** Any JSON object. */
  | { kind: "json" }
  | { kind: "schema"; schema: unknown }
  /** The whole text fits the regular expression. */
  | { kind: "pattern"; pattern: string };

/**
 * The logit of a token that must not follow. A finite number, because sampling checks for broken logits, and so small that the
 * token's probability is 0.
 */
const FORBIDDEN = -1e30;
/** Derivatives per token. A walk through a vocabulary of 65,536 tokens needs a few thousand; a hostile pattern, any number. */
const MAX_WORK = 300_000;
const MAX_MASKS = 64;
/** The tokens of a longer end are not counted. Such an end counts as one token per byte. */
const MAX_COUNTED_BYTES = 1000;

interface Mask {
  /** For each token id, 1 if the token may follow. */
  allowed: Uint8Array;
  /** The most bytes that any allowed token leaves to be written. */
  mostLeft: number;
}

/** The state of one text. Several texts of one format share its automaton. */
export class Constraint {
  readonly #shared: SharedFormat;
  #state: Expression;

  constructor(shared: SharedFormat) {
    this.#shared = shared;
    this.#state = shared.start;
    shared.texts.add(this);
  }

  /** True if the text may end here. */
  get isComplete(): boolean {
    return this.#state.isNullable;
  }

  /** True if the text must end here. */
  get isOver(): boolean {
    return this.#state === this.#shared.automaton.empty;
  }

  /**
   * logits [V] -> logits [V], where tokens that must not follow have FORBIDDEN. `left` is the number of tokens that the text may
   * still have. Throws InvalidInput if the format takes too much work.
   */
  restrict(logits: Float32Array, left: number, isEnd: (id: number) => boolean): Float32Array {
    const allowed = this.#shared.maskOf(this.#state, left);
    const { isComplete } = this;
    return logits.map((logit, id) => ((isEnd(id) ? isComplete : allowed[id] === 1) ? logit : FORBIDDEN));
  }

  /** The text goes on with a token. */
  accept(id: number): void {
    this.#state = this.#shared.afterToken(this.#state, id);
    this.#shared.collect();
  }

  get state(): Expression {
    return this.#state;
  }
}

/** Compiles a format for the tokens of a tokenizer. Throws InvalidInput for a format that is not supported or too large. */
export function compileFormat(format: Format, tokenizer: Tokenizer): () => Constraint {
  const shared = new SharedFormat(format, tokenizer);
  // The first step shows whether the format takes too much work.
  shared.maskOf(shared.start, Infinity);
  return () => new Constraint(shared);
}

function expressionOf(automaton: Automaton, format: Format): Expression {
  switch (format.kind) {
    case "json":
      return anyObject(automaton);
    case "schema":
      return schemaExpression(automaton, format.schema);
    case "pattern":
      return patternExpression(automaton, format.pattern, plainCharacter, true);
    default:
      return format satisfies never;
  }
}

class SharedFormat {
  readonly automaton = new Automaton();
  readonly start: Expression;
  readonly texts = new Set<Constraint>();
  readonly #tokenizer: Tokenizer;
  readonly #table: TokenTable;
  readonly #masks = new Map<Expression, Mask>();
  /** The number of tokens of the shortest end of a text in each state. */
  readonly #tokensToEnd = new Map<Expression, number>();

  constructor(format: Format, tokenizer: Tokenizer) {
    this.start = this.automaton.finish(expressionOf(this.automaton, format));
    this.#tokenizer = tokenizer;
    this.#table = tokenTable(tokenizer);
  }

  /** The tokens that may follow a state when the text may still have `left` tokens. */
  maskOf(state: Expression, left: number): Uint8Array {
    this.automaton.work = 0;
    const mask = this.#maskOf(state);
    // A text that could not end in time from the start goes on without this rule.
    const isBound = mask.mostLeft >= left && this.#fits(state, left);
    return isBound ? this.#walk(state, left - 1).allowed : mask.allowed;
  }

  /** The tokens that may follow a state for any number of tokens. */
  #maskOf(state: Expression): Mask {
    const known = this.#masks.get(state);
    if (known !== undefined) return known;
    if (this.#masks.size >= MAX_MASKS) this.#masks.clear();
    const mask = this.#walk(state, Infinity);
    this.#masks.set(state, mask);
    return mask;
  }

  /** The tokens that may follow a state if the text then ends within `left` tokens. */
  #walk(state: Expression, left: number): Mask {
    const { automaton } = this;
    const allowed = new Uint8Array(this.#tokenizer.vocabSize);
    let mostLeft = 0;
    const states: Expression[] = [state];
    /** The number of bytes after which the walk was stuck. */
    let stuckAt = Infinity;
    for (const { id, bytes, shared } of this.#table.tokens) {
      if (shared > stuckAt) continue;
      stuckAt = Infinity;
      let next = states[shared]!;
      for (let depth = shared; depth < bytes.length; depth++) {
        next = automaton.after(next, bytes[depth]!);
        states[depth + 1] = next;
        if (next !== automaton.none) continue;
        stuckAt = depth;
        break;
      }
      if (automaton.work > MAX_WORK) throw namedError("InvalidInput", "expected a simpler format: its next token takes too much work");
      if (next === automaton.none || !this.#fits(next, left)) continue;
      allowed[id] = 1;
      mostLeft = Math.max(mostLeft, automaton.shortestLength(next));
    }
    return { allowed, mostLeft };
  }

  /** True if the shortest end of a text in this state has at most `left` tokens. */
  #fits(state: Expression, left: number): boolean {
    const bytes = this.automaton.shortestLength(state);
    if (bytes <= left) return true;
    if (bytes > left * this.#table.maxBytes || bytes > MAX_COUNTED_BYTES) return false;
    let tokens = this.#tokensToEnd.get(state);
    if (tokens === undefined) this.#tokensToEnd.set(state, (tokens = this.#countTokens(keyOf(this.automaton.shortest(state)))));
    return tokens <= left;
  }

  /**
   * The tokens of a text if each is the longest that fits. Every end of such a list is the list of the rest of the text. So a
   * text whose shortest end fits can always go on with the first token of this list.
   */
  #countTokens(text: string): number {
    const { ids, maxBytes } = this.#table;
    let count = 0;
    for (let at = 0; at < text.length; count++) {
      let length = Math.min(maxBytes, text.length - at);
      while (length > 1 && !ids.has(text.slice(at, at + length))) length--;
      at += length;
    }
    return count;
  }

  /** Drops states that no text is in, when there are many. */
  collect(): void {
    if (!this.automaton.collect([this.start, ...[...this.texts].map(({ state }) => state)])) return;
    this.#masks.clear();
    this.#tokensToEnd.clear();
  }

  afterToken(state: Expression, id: number): Expression {
    const { automaton } = this;
    let next = state;
    for (const byte of this.#tokenizer.decodeBytes([id])) next = automaton.after(next, byte);
    if (next === automaton.none) throw new Error(`constraint: expected a token that may follow, got ${id}`);
    return next;
  }
}
