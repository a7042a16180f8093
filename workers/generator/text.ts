/**
 * From the bytes of tokens to text that can be given out at once: only whole characters, nothing that a stop string could take
 * back, and with `trim` no white space around the whole. Stop strings are found across the borders of tokens.
 */

export interface TextDelta {
  delta: string;
  /** True when a stop string was found; the text ends before it. */
  isStopped: boolean;
}

/** Length of the longest end of `text` with which a stop string begins. */
function openStop(text: string, stop: readonly string[]): number {
  const longest = Math.max(0, ...stop.map((word) => word.length - 1));
  for (let length = Math.min(longest, text.length); length > 0; length--) {
    const end = text.slice(-length);
    if (stop.some((word) => word.startsWith(end))) return length;
  }
  return 0;
}

export class TextAssembler {
  readonly #stop: readonly string[];
  readonly #trim: boolean;
  // In streaming mode a decoder holds back the bytes of an incomplete character. A leading U+FEFF is text.
  readonly #decoder = new TextDecoder("utf-8", { fatal: false, ignoreBOM: true });
  /** Decoded text that was not given out yet. */
  #held = "";
  #hasBegun = false;

  constructor(stop: readonly string[], trim: boolean) {
    this.#stop = stop.map((word) => word.toWellFormed());
    this.#trim = trim;
  }

  /** Adds the bytes of a token. After a stop string the text is over. */
  push(bytes: Uint8Array): TextDelta {
    this.#held += this.#decoder.decode(bytes, { stream: true });
    const found = this.#stop.map((word) => this.#held.indexOf(word)).filter((at) => at >= 0);
    if (found.length > 0) {
      this.#held = this.#held.slice(0, Math.min(...found));
      return { delta: this.end(), isStopped: true };
    }
    return { delta: this.#release(this.#held.length - openStop(this.#held, this.#stop)), isStopped: false };
  }

  /** The rest of the text, without the bytes of an incomplete last character. */
  end(): string {
    const delta = this.#release(this.#held.length);
    this.#held = "";
    return delta;
  }

  #release(length: number): string {
    const end = this.#trim ? this.#held.slice(0, length).trimEnd().length : length;
    const text = this.#held.slice(0, end);
    const delta = this.#trim && !this.#hasBegun ? text.trimStart() : text;
    this.#held = this.#held.slice(end);
    this.#hasBegun ||= delta !== "";
    return delta;
  }
}
