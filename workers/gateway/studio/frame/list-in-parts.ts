/**
 * A list that the gateway sends in parts, the newest entries first. Reading a part ends an unfinished reading, so the entries of two
 * lists never mix, and no part is added twice.
 */
import { signal } from "@preact/signals";
import { call } from "./api.ts";

export class ListInParts<Answer extends { cursor: number | null }, Entry> {
  /** The entries of the parts that were read. Null before the first part has arrived. */
  readonly entries = signal<readonly Entry[] | null>(null);
  /** Names the next part. Null if there is none. */
  readonly cursor = signal<number | null>(null);
  readonly problem = signal("");
  readonly #entriesOf: (answer: Answer) => readonly Entry[];
  #reading: AbortController | null = null;

  constructor(entriesOf: (answer: Answer) => readonly Entry[]) {
    this.#entriesOf = entriesOf;
  }

  clear(): void {
    this.#reading?.abort();
    this.entries.value = null;
    this.cursor.value = null;
    this.problem.value = "";
  }

  /** Reads the first part, or adds the part that `cursor` names. Empty parameters are not sent. */
  async read(path: string, parameters: Readonly<Record<string, string>>, cursor: number | null = null): Promise<void> {
    this.#reading?.abort();
    const own = new AbortController();
    this.#reading = own;
    const given = Object.entries({ ...parameters, cursor: cursor === null ? "" : String(cursor) }).filter(([, value]) => value !== "");
    try {
      const answer = await call<Answer>("GET", `${path}?${new URLSearchParams(given)}`, undefined, own.signal);
      const before = cursor === null ? [] : (this.entries.peek() ?? []);
      this.entries.value = [...before, ...this.#entriesOf(answer)];
      this.cursor.value = answer.cursor;
      this.problem.value = "";
    } catch (error) {
      if ((error as Error).name !== "AbortError") this.problem.value = (error as Error).message;
    }
  }
}
