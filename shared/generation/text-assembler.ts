/**
 * Turns the bytes of tokens into text that can be sent at once. Only whole characters are sent. Text that may be the start of
 * a stop string is held back. With `trim`, white space at both ends is dropped. Stop strings are found across token borders.
 */

export interface TextDelta {
  delta: string;
  /** True if a stop string was found. The text ends before it. */
  isStopped: boolean;
}

/** The length of the longest end of `text` that is the start of a stop string. */
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
  // In streaming mode the decoder holds back the bytes of an incomplete character. A leading U+FEFF is kept as text.
  readonly #decoder = new TextDecoder("utf-8", { fatal: false, ignoreBOM: true });
  /** Decoded text that was not sent yet. */
  #held = "";
  #hasBegun = false;

  constructor(stop: readonly string[], trim: boolean) {
    this.#stop = stop.map((word) => word.toWellFormed());
    this.#trim = trim;
  }

  /** Adds the bytes of a token. After a stop string no more text comes. */
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
