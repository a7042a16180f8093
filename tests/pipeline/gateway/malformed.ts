/**
 * Malformed bodies at every POST route: each gets an answer below 500, soon. The kinds are those of the public JSON test suite
 * (github.com/nst/JSONTestSuite, "Parsing JSON is a Minefield"): texts that a parser must refuse, texts that it must accept, and texts
 * where parsers differ.
 */
import { beforeAll, expect, test } from "vitest";
import { OPERATOR, type openDoor } from "./door.ts";

const deep = (open: string, count: number) => open.repeat(count);
const MUST_FAIL: readonly string[] = [
  [
    "",
    " ",
    "\ufeff",
    "[",
    "]",
    "{",
    "}",
    "[[]",
    "[1",
    "[1,",
    "[,1]",
    "[1,,2]",
    "[1,]",
    "[,]",
    '["a" 1]',
    "[1 true]",
    "[a",
    "[-",
    '["a',
    '["',
    '{"a"',
    '{"a":',
    '{"a":1',
    '{"a":1,}',
    "{,}",
    '{"a":1,,"b":2}',
  ],
  [
    "{a:1}",
    "{'a':1}",
    "{1:1}",
    "{null:1}",
    '{"a" 1}',
    '{"a"::1}',
    '{"a":"b":1}',
    "{[:1}",
    '{"a":1 "b"}',
    '{"a":/**/1}',
    '{"a":1}#',
    '{"a":1}/**/',
    "{}}",
    "[]]",
    "1]",
    "[1]x",
    "{}{}",
    "[][]",
  ],
  [
    "nul",
    "tru",
    "fals",
    "True",
    "NULL",
    "NaN",
    "Infinity",
    "-Infinity",
    "undefined",
    "[nan]",
    "[+1]",
    "[.5]",
    "[1.]",
    "[-.5]",
    "[01]",
    "[-01]",
    "[0x1]",
    "[1e]",
    "[1e+]",
    "[1eE2]",
    "[1.2.3]",
    "[--1]",
    "[- 1]",
    "[1_000]",
    "[\uff11]",
  ],
  [
    '["\\x00"]',
    '["\\u00"]',
    '["\\uD8"]',
    '["\\u"]',
    '["\\"]',
    '["\\a"]',
    '["\\\u0000"]',
    '["a\nb"]',
    '["\t"]',
    "['a']",
    '"',
    "abc",
    "*",
    "<a/>",
    "\u2060[]",
    "[\f]",
    "[\u00a0]",
    "\\u005b]",
    '["\u0000"]',
  ],
  [deep("[", 10_000), deep('{"a":', 5000), deep('[{"":', 5000)],
].flat();
const MAY_PASS: readonly string[] = [
  [
    "null",
    "true",
    "0",
    "-0",
    "1e400",
    "-1e400",
    "1e-400",
    "123456789012345678901234567890",
    '"text"',
    '""',
    "[]",
    "{}",
    "[null]",
    '["\\uD800"]',
    '["\\uDFAA\\uD800"]',
    '["\\u0000"]',
    '["\\uFFFF\\u{10FFFF}"]',
  ],
  [
    '{"a":1,"a":2}',
    '{"":0}',
    '{"\\u0000":1}',
    '{"__proto__":{"a":1}}',
    '{"constructor":{"prototype":{"a":1}}}',
    '{"toString":1}',
    '{"length":-1}',
    " \t\r\n{} ",
    `${deep("[", 500)}${deep("]", 500)}`,
  ],
].flat();
/** Absurd values for fields that requests have, all at once and one by one. */
const ABSURD: readonly unknown[] = [null, true, -1, 1e308, 1.5, "", "\ud800", "a".repeat(5000), [], [[[]]], {}, { a: { b: {} } }];
const FIELDS = [
  "text",
  "model",
  "prompt",
  "messages",
  "input",
  "stream",
  "seed",
  "temperature",
  "stop",
  "n",
  "max_tokens",
  "format",
  "response_format",
  "options",
  "id",
  "tokens",
  "context",
  "name",
  "url",
];

/** Each route gets one body in this many, and each body goes to several routes of every door. All pairs would take minutes. */
const STRIDE = 3;

export function testMalformed(door: () => Awaited<ReturnType<typeof openDoor>>): void {
  let routes: string[];
  beforeAll(async () => {
    const { paths } = (await (await door().send("GET", "/openapi.json")).json()) as { paths: Record<string, Record<string, unknown>> };
    routes = Object.entries(paths)
      .filter(([, methods]) => "post" in methods)
      .map(([path]) => path.replaceAll(/\{\w+\}/g, "x"));
  });

  /** The routes and bodies whose answer is 500 or above, or of which no answer comes within a minute. */
  async function failures(all: readonly (string | Uint8Array<ArrayBuffer>)[]): Promise<string[]> {
    const failed: string[] = [];
    for (const [at, route] of routes.entries()) {
      const bodies = all.filter((_, index) => (index + at) % STRIDE === 0);
      const answers = await Promise.all(
        bodies.map(async (body) => {
          const response = await door().server.fetch(route, {
            method: "POST",
            headers: { ...OPERATOR, "content-type": route === "/lessons" ? "application/jsonl" : "application/json" },
            body,
            signal: AbortSignal.timeout(60_000),
          });
          await response.body?.cancel();
          return { body, status: response.status };
        }),
      );
      for (const { body, status } of answers) if (status >= 500) failed.push(`${route} ${status} ${String(body).slice(0, 80)}`);
    }
    return failed;
  }

  test("texts that are no JSON give no failure at any POST route", async () => {
    expect(routes.length).toBeGreaterThan(20);
    expect(
      MUST_FAIL.filter((text) => {
        try {
          JSON.parse(text);
          return true;
        } catch {
          return false;
        }
      }),
    ).toEqual([]);
    expect(await failures(MUST_FAIL)).toEqual([]);
  });

  test("unusual JSON and bytes that are no UTF-8 give no failure", async () => {
    const bytes = [
      [0xff],
      [0xc0, 0xaf],
      [0x22, 0xed, 0xa0, 0x80, 0x22],
      [0xfe, 0xff, 0x00, 0x7b],
      [0x7b, 0x22, 0xe2, 0x82, 0x22, 0x3a, 0x31, 0x7d],
    ];
    expect(await failures([...MAY_PASS, ...bytes.map((each) => Uint8Array.from(each))])).toEqual([]);
  });

  test("absurd values of every field give no failure", async () => {
    const whole = ABSURD.map((value) => JSON.stringify(Object.fromEntries(FIELDS.map((field) => [field, value]))));
    const valid = {
      text: "a",
      model: "tiffin",
      prompt: "a",
      input: "a",
      messages: [{ role: "user", content: "a" }],
      id: "a",
      max_tokens: 1,
    };
    const single = FIELDS.flatMap((field, index) =>
      [ABSURD[index % ABSURD.length], ABSURD[(index * 5 + 3) % ABSURD.length]].map((value) => JSON.stringify({ ...valid, [field]: value })),
    );
    expect(await failures([...whole, ...single])).toEqual([]);
  });
}
