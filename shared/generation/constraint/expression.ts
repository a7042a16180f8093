/** Sets of byte strings as expressions. Equal expressions are one object; automaton.ts makes them. */

export type Expression = Readonly<{
  id: number;
  /** True if the empty string is in the set. */
  isNullable: boolean;
  form: Form;
  /** The states after each byte that was read so far. */
  next: Map<number, Expression>;
}>;

export type Form =
  | { kind: "none" }
  | { kind: "empty" }
  /** Any one byte of a set: eight words of 32 bits. */
  | { kind: "byte"; set: readonly number[] }
  | { kind: "sequence"; first: Expression; rest: Expression }
  | { kind: "choice"; among: readonly Expression[] }
  | { kind: "repeat"; what: Expression; min: number; max: number }
  /** The expression that `define` gives this name. Recursion goes through names. It never contains the empty string. */
  | { kind: "name"; name: string };

/** The parts of a sequence; the expression itself if it is none. */
export function partsOf(expression: Expression): Expression[] {
  const parts: Expression[] = [];
  let rest = expression;
  for (; rest.form.kind === "sequence"; rest = rest.form.rest) parts.push(rest.form.first);
  return [...parts, rest];
}

/** The names that may stand at the start of a string, before any byte. */
export function headsOf(expression: Expression): string[] {
  const { form } = expression;
  if (form.kind === "name") return [form.name];
  if (form.kind === "choice") return form.among.flatMap(headsOf);
  if (form.kind === "repeat") return headsOf(form.what);
  if (form.kind === "sequence") return [...headsOf(form.first), ...(form.first.isNullable ? headsOf(form.rest) : [])];
  return [];
}

/** The expressions that an expression consists of. */
export function childrenOf({ form }: Expression): readonly Expression[] {
  if (form.kind === "choice") return form.among;
  if (form.kind === "sequence") return [form.first, form.rest];
  return form.kind === "repeat" ? [form.what] : [];
}
