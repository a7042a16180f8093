/** Texts of a format: random logits and random vocabularies give only texts that fit, so no model has to know the format. */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { compileFormat, type Format } from "../../../shared/generation/constraint/constraint.ts";
import { Automaton } from "../../../shared/generation/constraint/automaton.ts";
import { schemaExpression } from "../../../shared/generation/constraint/json-schema.ts";
import { sampleTokens } from "../../../shared/generation/sample-tokens.ts";
import type { Decoder } from "../../../shared/model/decoder.ts";
import { NO_PENALTIES } from "../../../shared/model/penalties.ts";
import { createRandom, normal } from "../../../shared/model/random.ts";
import type { Merge } from "../../../shared/tokenizer/bpe.ts";
import { FORMER_LAYOUT } from "../../../shared/tokenizer/layout.ts";
import { Tokenizer } from "../../../shared/tokenizer/tokenizer.ts";

/** A vocabulary with random merges of bytes that JSON often has, and of bytes inside of characters. */
function randomTokenizer(seed: number): Tokenizer {
  const random = createRandom(seed);
  const common = [...new TextEncoder().encode('{}[]",:0123456789.-truefalsn \\aé😀')];
  const merges: Merge[] = [];
  for (let index = 0; index < 400; index++) {
    const part = () => (random() < 0.4 && index > 0 ? 256 + Math.floor(random() * index) : common[Math.floor(random() * common.length)]!);
    merges.push([part(), part()]);
  }
  return new Tokenizer(FORMER_LAYOUT.vocabulary(merges));
}
const TOKENIZERS = [1, 2, 3].map(randomTokenizer);

/** A text of a format, made of random logits. */
function sampled(format: Format, seed: number, maxTokens: number, temperature = 1): { text: string; reason: string; tokens: number } {
  const tokenizer = TOKENIZERS[seed % TOKENIZERS.length]!;
  const random = createRandom(seed);
  const logits = () => Float32Array.from({ length: tokenizer.vocabSize }, () => 3 * normal(random));
  const decoder = { length: 0, step: logits } as unknown as Decoder;
  const isEnd = (id: number) => id >= tokenizer.endOfText;
  const limits = { maxTokens, context: Infinity, alternatives: 0, isEnd, constraint: compileFormat(format, tokenizer)() };
  const settings = { ...NO_PENALTIES, temperature, topK: 40, topP: 0.95 };
  const tokens = sampleTokens({ decoder, logits: logits(), prompt: new Set() }, settings, seed, limits);
  const ids: number[] = [];
  for (;;) {
    const next = tokens.next();
    if (next.done === true) {
      const text = new TextDecoder("utf-8", { fatal: next.value === "stop", ignoreBOM: true }).decode(tokenizer.decodeBytes(ids));
      return { text, reason: next.value, tokens: ids.length };
    }
    ids.push(next.value.id);
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

const PERSON = {
  type: "object",
  properties: {
    name: { type: "string", maxLength: 8 },
    age: { type: "integer", minimum: 17, maximum: 130 },
    tags: { type: "array", items: { enum: ["a", 'b"', "ü"] }, minItems: 1, maxItems: 3 },
    mail: { type: ["string", "null"] },
    score: { type: "number" },
  },
  required: ["name", "age", "tags"],
  additionalProperties: false,
};
const SCHEMAS: readonly Record<string, unknown>[] = [
  PERSON,
  { type: "integer" },
  { type: "integer", minimum: -1205, exclusiveMaximum: -7 },
  { type: "integer", minimum: -3, maximum: 12 },
  { type: "number" },
  { type: "string", minLength: 3, maxLength: 5 },
  { type: "string", pattern: "^[A-Z]{2}\\d+$" },
  { type: "string", pattern: 'x"\\\\y' },
  { type: "string", format: "date-time" },
  { type: "string", format: "uuid" },
  { type: "array", items: { type: "array", items: { type: "boolean" } } },
  { type: "array", items: { type: "null" }, minItems: 2, maxItems: 2 },
  { type: "array", prefixItems: [{ type: "integer" }, { type: "string" }], items: false, minItems: 2 },
  { type: "object", additionalProperties: { type: "integer" } },
  { type: "object", properties: {}, additionalProperties: false },
  { const: 'a "b"' },
  { anyOf: [{ type: "object", properties: { kind: { const: "a" } }, required: ["kind"] }, { type: "null" }] },
  { type: "object", properties: { a: { type: "boolean" }, b: { type: "boolean" }, c: { type: "boolean" } } },
];
/** A tree, whose schema leads to itself. */
const TREE = {
  $defs: {
    node: {
      type: "object",
      properties: { value: { type: "integer", minimum: 0, maximum: 9 }, children: { type: "array", items: { $ref: "#/$defs/node" } } },
      required: ["value", "children"],
    },
  },
  $ref: "#/$defs/node",
};

describe("texts of a schema", () => {
  test.each([...SCHEMAS, TREE].map((schema) => [JSON.stringify(schema), schema] as const))("are valid: %s", (_, schema) => {
    const valid = z.fromJSONSchema(schema as never);
    for (let seed = 1; seed <= 6; seed++) {
      const { text, reason } = sampled({ kind: "schema", schema }, seed, 120, seed % 3 === 0 ? 0 : 1.5);
      expect(reason).toBe("stop");
      expect([text, valid.safeParse(JSON.parse(text)).success]).toEqual([text, true]);
    }
  });

  test("end within any number of tokens that a valid text can have", () => {
    const shortest = '{"name":"","age":17,"tags":["a"]}';
    for (let maxTokens = 1; maxTokens <= 40; maxTokens++) {
      const { text, reason, tokens } = sampled({ kind: "schema", schema: PERSON }, maxTokens, maxTokens);
      expect(tokens).toBeLessThanOrEqual(maxTokens);
      // A vocabulary of bytes and merges never needs more tokens than bytes.
      expect(["stop", maxTokens >= shortest.length ? "stop" : "length"]).toContain(reason);
      expect([text, isJson(text) && z.fromJSONSchema(PERSON as never).safeParse(JSON.parse(text)).success]).toEqual([
        text,
        reason === "stop",
      ]);
    }
  });
});

test("any JSON object parses, at every length", () => {
  const texts = Array.from({ length: 40 }, (_, seed) => sampled({ kind: "json" }, seed, 2 + 7 * seed).text);
  expect(texts.filter((text) => !isJson(text) || !text.startsWith("{"))).toEqual([]);
});

describe("texts of a regular expression", () => {
  const PATTERNS = [
    "[a-z]{3,6}( [a-z]+)*",
    "(yes|no|maybe)!?",
    "^\\d{1,3}(\\.\\d{1,3}){3}$",
    "[^a-z\\s]+",
    "(?:é|😀|\\u{1f600}x)+?",
    "\\x41[\\-\\]\\w]*",
    "a(b(c|d)*){2}|",
    ".{5}",
  ];
  test.each(PATTERNS)("match it: %s", (pattern) => {
    for (let seed = 1; seed <= 6; seed++) {
      const { text, reason } = sampled({ kind: "pattern", pattern }, seed, 60);
      expect(reason).toBe("stop");
      expect(text).toMatch(new RegExp(`^(?:${pattern})$`, "u"));
    }
  });

  test("that was made at random match it as JavaScript does", () => {
    const atom = fc.constantFrom("a", "b", ".", "[ab]", "[^a]", "\\d", "é", "(a|b)", "(?:(?:ab)*)", "((c)?)");
    const part = fc.tuple(atom, fc.constantFrom("", "*", "+", "?", "{2}", "{0,2}", "{1,}")).map(([what, count]) => what + count);
    const pattern = fc.array(
      fc.array(part, { maxLength: 4 }).map((parts) => parts.join("")),
      { minLength: 1, maxLength: 3 },
    );
    fc.assert(
      fc.property(pattern, fc.integer({ min: 1, max: 1000 }), (options, seed) => {
        const whole = options.join("|");
        const { text, reason } = sampled({ kind: "pattern", pattern: whole }, seed, 60);
        expect(reason).toBe("stop");
        expect(text).toMatch(new RegExp(`^(?:${whole})$`, "u"));
      }),
      { numRuns: 150 },
    );
  });
});

/** The name and the message of the error; empty if there is none. */
function caught(work: () => unknown): string {
  try {
    work();
    return "";
  } catch (error) {
    const { name, message } = error as Error;
    return `${name}: ${message}`;
  }
}

const refusal = (format: Format): string => caught(() => compileFormat(format, TOKENIZERS[0]!));

describe("a format is refused by name", () => {
  const SCHEMAS_REFUSED: [schema: object | boolean | string, message: string][] = [
    [{ type: "object", properties: { a: { type: "array", uniqueItems: true } } }, "schema.properties.a.uniqueItems: not supported"],
    [{ oneOf: [{ type: "null" }] }, "schema.oneOf: not supported"],
    [{ type: "number", minimum: 3 }, "schema.minimum: not supported"],
    [{ type: "text" }, "schema.type: expected"],
    [false, "schema: expected a schema"],
    ["a text", "schema: expected a schema"],
    [{ $ref: "https://example.com/schema" }, "schema.$ref: expected"],
    [{ $ref: "#" }, "does not lead to itself"],
    [{ $defs: { a: { anyOf: [{ $ref: "#/$defs/a" }, { type: "null" }] } }, $ref: "#/$defs/a" }, "does not lead to itself"],
    [{ $defs: { a: { type: "object", properties: { a: { $ref: "#/$defs/a" } }, required: ["a"] } }, $ref: "#/$defs/a" }, "finite text"],
    [{ type: "object", required: ["a"] }, "schema.required: expected names of properties"],
    [{ type: "integer", minimum: 3.2, maximum: 3.8 }, "expected limits with an integer"],
    [{ type: "string", minLength: 5, maxLength: 4 }, "schema.minLength: expected at most"],
    [{ enum: Array.from({ length: 20_000 }, (_, index) => index) }, "simpler format"],
  ];
  test.each(SCHEMAS_REFUSED.map(([schema, message]) => [JSON.stringify(schema).slice(0, 100), schema, message] as const))(
    "%s",
    (_, schema, message) => {
      expect(refusal({ kind: "schema", schema })).toMatch(/^InvalidInput: /);
      expect(refusal({ kind: "schema", schema })).toContain(message);
    },
  );

  test.each([
    ["(?=a)", "assertions"],
    ["\\b", "escape"],
    ["(a)\\1", "escape"],
    ["a**", "second quantifier"],
    ["(", "expected )"],
    ["[a", "expected ]"],
    ["a^", "only at the start"],
    ["(a$)b", "only at the end"],
    ["a{5,2}", "greater number"],
    ["a{100000}", "count of at most"],
    ["a".repeat(2000), "at most 1000 characters"],
    [`${"(".repeat(60)}${")".repeat(60)}`, "at most 50 deep"],
    ["[]", "finite text"],
  ])("%s", (pattern, message) => {
    expect(refusal({ kind: "pattern", pattern })).toMatch(/^InvalidInput: /);
    expect(refusal({ kind: "pattern", pattern })).toContain(message);
  });

  test("hostile formats end soon", () => {
    let deep: object = { type: "null" };
    for (let depth = 0; depth < 5000; depth++) deep = { type: "array", items: deep };
    expect(refusal({ kind: "schema", schema: deep })).toContain("deep");
    const startedAt = performance.now();
    for (const pattern of ["(a*)*b", "((a{1,100}){1,100}){1,100}c", "(a|aa|aaa)*d", ".*a.{200}", "(.*a){50}", "(.?){500}x"])
      expect(caught(() => sampled({ kind: "pattern", pattern }, 5, 50))).toMatch(/^$|^InvalidInput: /);
    expect(performance.now() - startedAt).toBeLessThan(60_000);
  });
});

test("a long text keeps the number of states bounded and its state right", () => {
  const automaton = new Automaton(800);
  const value = automaton.finish(schemaExpression(automaton, { type: "array", items: { type: "string", maxLength: 2000 } }));
  const long = "é".repeat(1990);
  let state = value;
  let collections = 0;
  for (const byte of new TextEncoder().encode(JSON.stringify([long, `${long}aaaaaaaaaa`]))) {
    state = automaton.after(state, byte);
    if (automaton.collect([state])) collections++;
  }
  expect(collections).toBeGreaterThan(10);
  expect([state === automaton.empty, automaton.shortestLength(state)]).toEqual([true, 0]);
  let open = value;
  for (const byte of new TextEncoder().encode(`["${long}aaaaaaaaaa`)) {
    open = automaton.after(open, byte);
    automaton.collect([open]);
  }
  expect(automaton.after(open, 0x61)).toBe(automaton.none);
  expect(String.fromCharCode(...automaton.shortest(open))).toBe('"]');
});
