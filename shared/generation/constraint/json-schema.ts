/**
 * A subset of JSON Schema (draft 2020-12) as an expression of the texts that are valid. Other keywords are refused by name.
 *
 * Supported: type (one or several), enum, const, anyOf, allOf of one schema, $ref to "#" and "#/$defs/NAME" or
 * "#/definitions/NAME", recursion; for strings minLength, maxLength, pattern, format (date, time, date-time, uuid); for integers
 * minimum, maximum, exclusiveMinimum, exclusiveMaximum; for arrays prefixItems, items, minItems, maxItems; for objects properties,
 * required, additionalProperties. Objects have their properties in the schema's order, and no others, unless
 * additionalProperties is the only description of them. Annotations such as title and description are ignored.
 */
import { namedError } from "../../errors.ts";
import { jsonCharacter } from "./characters.ts";
import type { Automaton } from "./automaton.ts";
import type { Expression } from "./expression.ts";
import { anyValue, integerBetween, listOf, literal, mapOf, MAX_INTEGER, number, objectOf, quoted, stringOf } from "./json-values.ts";
import { patternExpression } from "./pattern.ts";

const MAX_DEPTH = 32;
const MAX_COUNT = 10_000;
const MAX_PROPERTIES = 200;

type Schema = Readonly<Record<string, unknown>>;

const ANNOTATIONS = ["title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly", "$comment", "$schema", "$id"];
const DEFINITIONS = ["$defs", "definitions"];
const KEYWORDS = {
  string: ["minLength", "maxLength", "pattern", "format"],
  integer: ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"],
  number: [],
  boolean: [],
  null: [],
  array: ["prefixItems", "items", "minItems", "maxItems"],
  object: ["properties", "required", "additionalProperties"],
} as const;
type Type = keyof typeof KEYWORDS;
const TYPES = Object.keys(KEYWORDS) as Type[];

const YEAR = String.raw`\d{4}`;
const MONTH_AND_DAY = String.raw`((0[1-9]|1[0-2])-(0[1-9]|1\d|2[0-8])|(0[13-9]|1[0-2])-(29|30)|(0[13578]|1[02])-31)`;
const TIME = String.raw`([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,6})?(Z|[+\-]([01]\d|2[0-3]):[0-5]\d)`;
/** Dates leave out 29 February, which not every year has. */
const FORMATS: Readonly<Record<string, string>> = {
  date: `${YEAR}-${MONTH_AND_DAY}`,
  time: TIME,
  "date-time": `${YEAR}-${MONTH_AND_DAY}T${TIME}`,
  uuid: "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
};

/** The texts that are valid JSON of the schema. Throws InvalidInput, with the keyword's path, for what is not supported. */
export function schemaExpression(automaton: Automaton, schema: unknown): Expression {
  return new SchemaReader(automaton, schema).read();
}

const isObject = (value: unknown): value is Schema => typeof value === "object" && value !== null && !Array.isArray(value);

class SchemaReader {
  readonly #automaton: Automaton;
  readonly #root: unknown;
  readonly #references = new Map<string, Expression>();
  #any: Expression | null = null;

  constructor(automaton: Automaton, root: unknown) {
    this.#automaton = automaton;
    this.#root = root;
  }

  read(): Expression {
    return this.#schema(this.#root, "schema", 0);
  }

  #fail(path: string, expected: string, got?: unknown): never {
    const shown = got === undefined ? "" : `, got ${(JSON.stringify(got) ?? "nothing").slice(0, 100)}`;
    throw namedError("InvalidInput", `${path}: ${expected}${shown}`);
  }

  #schema(schema: unknown, path: string, depth: number): Expression {
    if (depth > MAX_DEPTH) this.#fail(path, `expected schemas at most ${MAX_DEPTH} deep`);
    if (schema === true) return this.#anyValue();
    if (!isObject(schema)) return this.#fail(path, "expected a schema", schema);
    if (schema["$ref"] !== undefined) {
      this.#allow(schema, path, ["$ref"]);
      return this.#reference(schema["$ref"], `${path}.$ref`, depth);
    }
    for (const keyword of ["anyOf", "allOf"] as const) {
      const parts = schema[keyword];
      if (parts === undefined) continue;
      this.#allow(schema, path, [keyword]);
      if (!Array.isArray(parts) || parts.length === 0) return this.#fail(`${path}.${keyword}`, "expected a list of schemas", parts);
      if (keyword === "allOf" && parts.length > 1) this.#fail(`${path}.allOf`, "expected one schema", parts.length);
      return this.#automaton.choice(...parts.map((part, index) => this.#schema(part, `${path}.${keyword}.${index}`, depth + 1)));
    }
    const types = this.#typesOf(schema, path);
    if (schema["const"] !== undefined || schema["enum"] !== undefined) return this.#values(schema, path, types);
    this.#allow(schema, path, ["type", ...types.flatMap((type) => KEYWORDS[type] as readonly string[])]);
    if (schema["type"] === undefined && types.length === TYPES.length) return this.#anyValue();
    return this.#automaton.choice(...types.map((type) => this.#typed(type, schema, path, depth)));
  }

  #allow(schema: Schema, path: string, keywords: readonly string[]): void {
    const other = Object.keys(schema).find((key) => ![...keywords, ...ANNOTATIONS, ...DEFINITIONS].includes(key));
    if (other !== undefined) this.#fail(`${path}.${other}`, `not supported here, expected only ${keywords.join(", ")}`);
  }

  #anyValue(): Expression {
    return (this.#any ??= anyValue(this.#automaton));
  }

  /** The types that a schema names or, without `type`, the only type whose keywords it has, or else all types. */
  #typesOf(schema: Schema, path: string): readonly Type[] {
    const { type } = schema;
    if (type === undefined) {
      const implied = TYPES.find((each) => KEYWORDS[each].some((keyword) => schema[keyword] !== undefined));
      return implied === undefined ? TYPES : [implied];
    }
    const named = Array.isArray(type) ? type : [type];
    const unknown = named.find((each) => !TYPES.includes(each as Type));
    if (unknown !== undefined || named.length === 0) this.#fail(`${path}.type`, `expected ${TYPES.join(", ")}`, unknown ?? named);
    return named as Type[];
  }

  #values(schema: Schema, path: string, types: readonly Type[]): Expression {
    this.#allow(schema, path, ["type", "enum", "const"]);
    const listed = schema["const"] === undefined ? schema["enum"] : [schema["const"]];
    if (!Array.isArray(listed)) return this.#fail(`${path}.enum`, "expected a list of values", listed);
    const values = listed.filter((value) => types.some((type) => isOfType(value, type)));
    if (values.length === 0) this.#fail(`${path}.enum`, "expected a value of the schema's type", listed);
    return this.#automaton.choice(...values.map((value) => literal(this.#automaton, value)));
  }

  #reference(target: unknown, path: string, depth: number): Expression {
    if (typeof target !== "string") return this.#fail(path, "expected a text", target);
    const known = this.#references.get(target);
    if (known !== undefined) return known;
    const [, group = "", name = ""] = /^#\/(\$defs|definitions)\/([^/]+)$/.exec(target) ?? [];
    const definitions = isObject(this.#root) ? this.#root[group] : undefined;
    const key = name.replaceAll("~1", "/").replaceAll("~0", "~");
    const isKnown = target === "#" || (isObject(definitions) && Object.hasOwn(definitions, key));
    if (!isKnown) this.#fail(path, 'expected "#" or a definition of this schema, like "#/$defs/name"', target);
    const expression = this.#automaton.name(target);
    this.#references.set(target, expression);
    const schema = target === "#" ? this.#root : (definitions as Schema)[key];
    this.#automaton.define(target, this.#schema(schema, target === "#" ? "schema" : `schema.${group}.${key}`, depth + 1));
    return expression;
  }

  #typed(type: Type, schema: Schema, path: string, depth: number): Expression {
    const automaton = this.#automaton;
    switch (type) {
      case "string":
        return this.#string(schema, path);
      case "integer":
        return this.#integer(schema, path);
      case "number":
        return number(automaton);
      case "boolean":
        return automaton.choice(automaton.text("true"), automaton.text("false"));
      case "null":
        return automaton.text("null");
      case "array":
        return this.#array(schema, path, depth);
      case "object":
        return this.#object(schema, path, depth);
      default:
        return type satisfies never;
    }
  }

  /** The value of a keyword that counts something. */
  #count(schema: Schema, path: string, keyword: string, otherwise: number): number {
    const value = schema[keyword] ?? otherwise;
    const isCount = value === otherwise || (Number.isInteger(value) && Number(value) >= 0 && Number(value) <= MAX_COUNT);
    if (!isCount) this.#fail(`${path}.${keyword}`, `expected an integer of 0..${MAX_COUNT}`, value);
    return Number(value);
  }

  #limits(schema: Schema, path: string, least: string, most: string): [min: number, max: number] {
    const [min, max] = [this.#count(schema, path, least, 0), this.#count(schema, path, most, Infinity)];
    if (min > max) this.#fail(`${path}.${least}`, `expected at most ${most}, ${max}`, min);
    return [min, max];
  }

  #string(schema: Schema, path: string): Expression {
    const { pattern, format } = schema;
    const isLimited = schema["minLength"] !== undefined || schema["maxLength"] !== undefined;
    if ([pattern, format, isLimited || undefined].filter((each) => each !== undefined).length > 1)
      this.#fail(path, "expected only one of pattern, format, and limits of length");
    if (format !== undefined) {
      const known = typeof format === "string" && Object.hasOwn(FORMATS, format) ? FORMATS[format]! : null;
      if (known === null) return this.#fail(`${path}.format`, `expected ${Object.keys(FORMATS).join(", ")}`, format);
      return quoted(this.#automaton, patternExpression(this.#automaton, known, jsonCharacter, true));
    }
    if (pattern === undefined) return stringOf(this.#automaton, ...this.#limits(schema, path, "minLength", "maxLength"));
    if (typeof pattern !== "string") return this.#fail(`${path}.pattern`, "expected a text", pattern);
    return quoted(this.#automaton, patternExpression(this.#automaton, pattern, jsonCharacter, false));
  }

  #integer(schema: Schema, path: string): Expression {
    const limit = (keyword: string, otherwise: number): number => {
      const value = schema[keyword] ?? otherwise;
      if (typeof value !== "number") return this.#fail(`${path}.${keyword}`, "expected a number", value);
      return value;
    };
    const low = Math.max(limit("minimum", -MAX_INTEGER), Math.floor(limit("exclusiveMinimum", -MAX_INTEGER - 1)) + 1);
    const high = Math.min(limit("maximum", MAX_INTEGER), Math.ceil(limit("exclusiveMaximum", MAX_INTEGER + 1)) - 1);
    const [min, max] = [Math.max(low, -MAX_INTEGER), Math.min(high, MAX_INTEGER)];
    if (Math.ceil(min) > Math.floor(max)) this.#fail(path, `expected limits with an integer of at most 15 digits between them`);
    return integerBetween(this.#automaton, min, max);
  }

  #array(schema: Schema, path: string, depth: number): Expression {
    const { prefixItems = [], items = true } = schema;
    if (!Array.isArray(prefixItems)) return this.#fail(`${path}.prefixItems`, "expected a list of schemas", prefixItems);
    const first = prefixItems.map((item, index) => this.#schema(item, `${path}.prefixItems.${index}`, depth + 1));
    const [least, most] = this.#limits(schema, path, "minItems", "maxItems");
    const max = items === false ? first.length : most;
    if (max < first.length) this.#fail(`${path}.maxItems`, `expected at least the ${first.length} of prefixItems`, max);
    const min = Math.max(0, least - first.length);
    if (min > max - first.length) this.#fail(`${path}.minItems`, `expected at most ${max}`, least);
    const item = items === false ? this.#automaton.empty : this.#schema(items, `${path}.items`, depth + 1);
    return listOf(this.#automaton, first, item, min, max - first.length);
  }

  #object(schema: Schema, path: string, depth: number): Expression {
    const { properties = {}, required = [], additionalProperties } = schema;
    if (!isObject(properties)) return this.#fail(`${path}.properties`, "expected an object of schemas", properties);
    const names = Object.keys(properties);
    if (names.length > MAX_PROPERTIES) this.#fail(`${path}.properties`, `expected at most ${MAX_PROPERTIES}`, names.length);
    if (!Array.isArray(required)) return this.#fail(`${path}.required`, "expected a list of names", required);
    const unknown = required.find((name) => !names.includes(name as string));
    if (unknown !== undefined) this.#fail(`${path}.required`, "expected names of properties", unknown);
    if (names.length === 0 && additionalProperties !== false)
      return additionalProperties === undefined || additionalProperties === true
        ? mapOf(this.#automaton, this.#anyValue())
        : mapOf(this.#automaton, this.#schema(additionalProperties, `${path}.additionalProperties`, depth + 1));
    return objectOf(
      this.#automaton,
      names.map((name) => ({
        name,
        value: this.#schema(properties[name], `${path}.properties.${name}`, depth + 1),
        isRequired: required.includes(name),
      })),
    );
  }
}

function isOfType(value: unknown, type: Type): boolean {
  if (type === "null") return value === null;
  if (type === "array") return Array.isArray(value);
  if (type === "object") return isObject(value);
  if (type === "integer") return Number.isInteger(value);
  return typeof value === type;
}
