/**
 * Sets of byte strings as expressions, and the automaton that they stand for. A state of the automaton is an expression: what
 * may still follow. The derivative of an expression by a byte is the next state (Brzozowski, "Derivatives of regular
 * expressions", JACM 1964). States are made when they are first reached, so counted repetitions and recursion cost nothing
 * before they are used. Equal expressions are one object, so a state is recognized when it returns.
 */
import { namedError } from "../../errors.ts";
import { childrenOf, headsOf, partsOf, type Expression, type Form } from "./expression.ts";

/** Expressions of one automaton at a time, which bounds its memory at a few megabytes. Above it, unused states are dropped. */
const MAX_EXPRESSIONS = 30_000;

const has = (set: readonly number[], byte: number) => ((set[byte >> 5]! >>> (byte & 31)) & 1) === 1;

export class Automaton {
  #known = new Map<string, Expression>();
  #made = 0;
  readonly #definitions = new Map<string, Expression>();
  /** The length of the shortest string of each expression. Filled by `finish`, then by `shortest`. */
  #lengths = new Map<Expression, number>();
  #nameLengths = new Map<string, number>();
  readonly #maxExpressions: number;
  /** The number of derivatives that were computed, not looked up: the automaton's unit of work. */
  work = 0;

  readonly none: Expression;
  readonly empty: Expression;

  constructor(maxExpressions = MAX_EXPRESSIONS) {
    this.#maxExpressions = maxExpressions;
    this.none = this.#make("none", { kind: "none" }, false);
    this.empty = this.#make("empty", { kind: "empty" }, true);
  }

  #make(key: string, form: Form, isNullable: boolean): Expression {
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    if (this.#known.size >= 2 * this.#maxExpressions) throw tooLarge(this.#maxExpressions);
    const made = { id: this.#made++, isNullable, form, next: new Map<number, Expression>() };
    this.#known.set(key, made);
    return made;
  }

  /** Any one byte of the ranges, both ends included. */
  byte(...ranges: readonly (readonly [number, number])[]): Expression {
    const set = Array.from({ length: 8 }, () => 0);
    for (const [from, to] of ranges) for (let byte = from; byte <= to; byte++) set[byte >> 5]! |= 1 << (byte & 31);
    return this.#byteOf(set);
  }

  #byteOf(set: readonly number[]): Expression {
    return set.every((word) => word === 0) ? this.none : this.#make(`b${set.join()}`, { kind: "byte", set }, false);
  }

  text(text: string): Expression {
    return this.sequence(...Array.from(new TextEncoder().encode(text), (byte) => this.byte([byte, byte])));
  }

  sequence(...parts: readonly Expression[]): Expression {
    // Sequences lean to the right, so that equal sequences have one form.
    const flat = parts.slice(0, -1).flatMap((part) => partsOf(part));
    if (parts.includes(this.none)) return this.none;
    return flat.reduceRight(
      (rest, first) => {
        if (first === this.empty) return rest;
        if (rest === this.empty) return first;
        return this.#make(`s${first.id},${rest.id}`, { kind: "sequence", first, rest }, first.isNullable && rest.isNullable);
      },
      parts.at(-1) ?? this.empty,
    );
  }

  choice(...options: readonly Expression[]): Expression {
    const among = new Set<Expression>();
    let bytes: readonly number[] | null = null;
    for (const option of options) {
      for (const each of option.form.kind === "choice" ? option.form.among : [option]) {
        if (each.form.kind === "none") continue;
        // One set stands for all single bytes.
        if (each.form.kind === "byte") {
          const { set } = each.form;
          bytes = bytes === null ? set : bytes.map((word, index) => word | set[index]!);
        } else among.add(each);
      }
    }
    if (bytes !== null) among.add(this.#byteOf(bytes));
    if (among.size === 0) return this.none;
    const sorted = [...among].toSorted((a, b) => a.id - b.id);
    if (sorted.length === 1) return sorted[0]!;
    const isNullable = sorted.some((each) => each.isNullable);
    return this.#make(`c${sorted.map(({ id }) => id).join()}`, { kind: "choice", among: sorted }, isNullable);
  }

  /** `max` may be Infinity. */
  repeat(what: Expression, min: number, max: number): Expression {
    if (max === 0 || what === this.empty) return this.empty;
    if (what === this.none) return min === 0 ? this.empty : this.none;
    if (min === 1 && max === 1) return what;
    const least = what.isNullable ? 0 : min;
    return this.#make(`r${what.id},${least},${max}`, { kind: "repeat", what, min: least, max }, least === 0);
  }

  optional(what: Expression): Expression {
    return this.choice(what, this.empty);
  }

  name(name: string): Expression {
    return this.#make(`n${name}`, { kind: "name", name }, false);
  }

  /** Gives a name its expression, which must not contain the empty string. */
  define(name: string, expression: Expression): void {
    this.#definitions.set(name, expression);
  }

  #definition(name: string): Expression {
    const found = this.#definitions.get(name);
    if (found === undefined) throw new Error(`automaton: expected a definition of ${name}, found none`);
    return found;
  }

  /**
   * Ends the definitions; returns `root`. Throws InvalidInput if a name stands for itself without a byte before it, if no string
   * belongs to the root, or if there are too many expressions.
   */
  finish(root: Expression): Expression {
    for (const name of this.#definitions.keys()) this.#checkHead(name, new Set());
    for (const name of this.#definitions.keys()) this.#nameLengths.set(name, Infinity);
    for (let isChanging = true; isChanging;) {
      isChanging = false;
      this.#lengths = new Map();
      for (const [name, expression] of this.#definitions) {
        const length = this.shortestLength(expression);
        if (length < this.#nameLengths.get(name)!) isChanging = true;
        this.#nameLengths.set(name, length);
      }
    }
    this.#lengths = new Map();
    if (this.shortestLength(root) === Infinity)
      throw namedError("InvalidInput", "expected a format that some finite text has, got one without");
    if (this.#known.size > this.#maxExpressions) throw tooLarge(this.#maxExpressions);
    return root;
  }

  #checkHead(name: string, open: ReadonlySet<string>): void {
    if (open.has(name)) throw namedError("InvalidInput", `${name}: expected a reference that does not lead to itself at once`);
    for (const head of headsOf(this.#definition(name))) this.#checkHead(head, new Set([...open, name]));
  }

  /**
   * If there are many states, drops all except `live` and what they consist of, and returns true. Throws InvalidInput if too many
   * remain.
   */
  collect(live: readonly Expression[]): boolean {
    if (this.#known.size <= this.#maxExpressions) return false;
    const kept = new Set<Expression>([this.none, this.empty]);
    const open = [...live, ...this.#definitions.values()];
    for (let each = open.pop(); each !== undefined; each = open.pop()) {
      if (kept.has(each)) continue;
      kept.add(each);
      each.next.clear();
      open.push(...childrenOf(each));
    }
    this.#known = new Map([...this.#known].filter(([, each]) => kept.has(each)));
    this.#lengths = new Map();
    if (this.#known.size > this.#maxExpressions / 2) throw tooLarge(this.#maxExpressions);
    return true;
  }

  /** The state after a byte; `none` if no string continues with it. */
  after(state: Expression, byte: number): Expression {
    const known = state.next.get(byte);
    if (known !== undefined) return known;
    this.work++;
    const next = this.#derive(state, byte);
    state.next.set(byte, next);
    return next;
  }

  #derive({ form }: Expression, byte: number): Expression {
    switch (form.kind) {
      case "none":
      case "empty":
        return this.none;
      case "byte":
        return has(form.set, byte) ? this.empty : this.none;
      case "sequence": {
        const further = this.sequence(this.after(form.first, byte), form.rest);
        return form.first.isNullable ? this.choice(further, this.after(form.rest, byte)) : further;
      }
      case "choice":
        this.work += form.among.length;
        return this.choice(...form.among.map((each) => this.after(each, byte)));
      case "repeat":
        return this.sequence(this.after(form.what, byte), this.repeat(form.what, Math.max(0, form.min - 1), form.max - 1));
      case "name":
        return this.after(this.#definition(form.name), byte);
      default:
        return form satisfies never;
    }
  }

  /** The number of bytes of the shortest string. */
  shortestLength(expression: Expression): number {
    const known = this.#lengths.get(expression);
    if (known !== undefined) return known;
    const { form } = expression;
    let length = 0;
    // Along a sequence this is a loop, because sequences may be long.
    if (form.kind === "sequence") {
      const open: Expression[] = [];
      let rest: Expression = expression;
      for (; rest.form.kind === "sequence" && !this.#lengths.has(rest); rest = rest.form.rest) open.push(rest);
      length = this.shortestLength(rest);
      for (const each of open.toReversed()) {
        if (each.form.kind === "sequence") length += this.shortestLength(each.form.first);
        this.#lengths.set(each, length);
      }
      return length;
    }
    if (form.kind === "none") length = Infinity;
    else if (form.kind === "byte") length = 1;
    else if (form.kind === "choice") length = Math.min(...form.among.map((each) => this.shortestLength(each)));
    else if (form.kind === "repeat") length = form.min === 0 ? 0 : form.min * this.shortestLength(form.what);
    else if (form.kind === "name") length = this.#nameLengths.get(form.name) ?? Infinity;
    this.#lengths.set(expression, length);
    return length;
  }

  /**
   * The bytes of the shortest string; of several, the first in the order of bytes. So after each of its bytes, the rest is the
   * shortest string of the state then reached.
   */
  *shortest(state: Expression): Generator<number, void> {
    const open: { what: Expression; times: number }[] = [{ what: state, times: 1 }];
    for (let top = open.pop(); top !== undefined; top = open.pop()) {
      if (top.times > 1) open.push({ what: top.what, times: top.times - 1 });
      if (top.times === 0) continue;
      const { form } = top.what;
      if (form.kind === "byte") yield Array.from({ length: 256 }, (_, byte) => byte).find((byte) => has(form.set, byte))!;
      else if (form.kind === "sequence") open.push({ what: form.rest, times: 1 }, { what: form.first, times: 1 });
      else if (form.kind === "choice") open.push({ what: this.#first(form.among), times: 1 });
      else if (form.kind === "repeat") open.push({ what: form.what, times: form.min });
      else if (form.kind === "name") open.push({ what: this.#definition(form.name), times: 1 });
    }
  }

  #first(among: readonly Expression[]): Expression {
    const least = Math.min(...among.map((each) => this.shortestLength(each)));
    const [head, ...others] = among.filter((each) => this.shortestLength(each) === least);
    return others.reduce((best, each) => (this.#precedes(each, best) ? each : best), head!);
  }

  #precedes(a: Expression, b: Expression): boolean {
    const other = this.shortest(b);
    for (const byte of this.shortest(a)) {
      const against = other.next().value ?? 0;
      if (byte !== against) return byte < against;
    }
    return false;
  }
}

function tooLarge(most: number): Error {
  return namedError("InvalidInput", `expected a simpler format: it needs more than ${most} states`);
}
