/** Access to the gateway: it has exactly the declared routes, and each route is open only to its declared callers. */
import { Validator } from "@seriousme/openapi-schema-validator";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { OPERATOR_TOKEN } from "../harness.ts";
import { openDoor, OPERATOR } from "./door.ts";

const DECLARED: Readonly<Record<"everyone" | "operator", readonly string[]>> = {
  everyone: [
    "GET /",
    "GET /health",
    "GET /local",
    "GET /overview",
    // Everyone may read the active model's tokenizer. Other models' tokenizers are as public as their exports.
    "GET /models/{id}/tokenizer.json",
    "GET /session",
    "POST /session",
    "DELETE /session",
    "POST /generate",
    "POST /feedback",
    "POST /tokenize",
    "POST /detokenize",
    "POST /predict",
    "POST /classify",
    "POST /explain",
    "POST /trace",
    "GET /v1/models",
    "GET /v1/models/{id}",
    "POST /v1/completions",
    "POST /v1/chat/completions",
    "POST /v1/embeddings",
    "GET /api/version",
    "GET /api/tags",
    "POST /api/show",
    "POST /api/generate",
    "POST /api/chat",
  ],
  operator: [
    "GET /feedback/votes",
    "POST /alignments",
    "GET /alignments",
    "GET /alignments/{id}",
    "POST /alignments/{id}/rollback",
    "GET /feedback/raters/{rater}",
    "DELETE /feedback/raters/{rater}",
    "POST /sources",
    "GET /sources",
    "GET /sources/{id}/report",
    "DELETE /documents",
    "POST /crawls",
    "GET /crawls",
    "GET /crawls/{id}",
    "GET /crawls/{id}/pages",
    "GET /documents",
    "GET /corpus",
    "GET /documents/{sha256}",
    "POST /runs",
    "GET /runs",
    "GET /runs/{id}",
    "DELETE /runs/{id}",
    "GET /runs/{id}/events",
    "GET /runs/{id}/curve",
    "GET /events",
    "POST /runs/{id}/pause",
    "POST /runs/{id}/resume",
    "POST /runs/{id}/stop",
    "POST /runs/{id}/branch",
    "GET /costs",
    "GET /metrics",
    "POST /garbage-collections",
    "GET /models",
    "POST /models/{id}/activate",
    // Open to everyone if PUBLIC_MODELS is "on".
    "GET /models/{id}/export",
    "GET /hub/api/models/{owner}/{name}",
    "GET /hub/api/models/{owner}/{name}/revision/{revision}",
    "GET /hub/api/models/{owner}/{name}/tree/{revision}",
    "POST /hub/api/models/{owner}/{name}/paths-info/{revision}",
    "GET /hub/{owner}/{name}/resolve/{revision}/{file}",
    "PUT /imports/parts/{hash}",
    "PUT /imports/tokenizers/{hash}",
    "POST /imports",
    "POST /models",
    "PUT /uploads/{collection}/{file}",
    "POST /lessons",
    "GET /lessons",
    "GET /lessons/{id}",
    "DELETE /lessons/{id}",
    "POST /keys",
    "GET /keys",
    "DELETE /keys/{id}",
  ],
};
/** Valid bodies: with a right token, these requests would change something. */
const BODIES: Readonly<Record<string, unknown>> = {
  "POST /sources": { url: "https://example.com/" },
  "POST /crawls": {},
  "POST /runs": { name: "not-to-be", preset: "tiny" },
  "POST /runs/{id}/branch": {},
  "POST /garbage-collections": { graceSeconds: 0 },
  "POST /keys": { name: "not-to-be" },
};
const CREDENTIALS: Readonly<Record<string, string>> = {
  "a wrong token": "Bearer wrong",
  "a truncated token": `Bearer ${OPERATOR_TOKEN.slice(0, -1)}`,
  "a longer token": `Bearer ${OPERATOR_TOKEN}x`,
  "an empty token": "Bearer ",
  "another case": `Bearer ${OPERATOR_TOKEN.toUpperCase()}`,
  "another scheme": `Basic ${OPERATOR_TOKEN}`,
  "two tokens": `Bearer ${OPERATOR_TOKEN} ${OPERATOR_TOKEN}`,
  "no scheme": OPERATOR_TOKEN,
};

interface Operation {
  security?: unknown[];
  requestBody?: { required?: boolean };
  responses: Record<string, { description: string; content?: Record<string, { schema?: object }> }>;
}

let door: Awaited<ReturnType<typeof openDoor>>;
let operations: Map<string, Operation>;
let api: { paths: Record<string, Record<string, Operation>> };
beforeAll(async () => {
  door = await openDoor();
  api = (await (await door.send("GET", "/openapi.json")).json()) as typeof api;
  operations = new Map(
    Object.entries(api.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => [`${method.toUpperCase()} ${path}`, operation] as const),
    ),
  );
}, 300_000);
afterAll(() => door.close());

const request = (route: string, headers: Record<string, string>) => {
  const [method, path] = route.split(" ") as [string, string];
  const url = path === "/documents" ? "/documents?url=https://example.com/" : path.replaceAll(/\{\w+\}/g, "x");
  return door.send(method, url, BODIES[route], headers);
};

const routesOf = (isOperator: boolean) =>
  [...operations].filter(([, { security }]) => (security !== undefined) === isOperator).map(([route]) => route);

describe("the routes", () => {
  test("of the running gateway are the declared routes, each open to its declared callers", () => {
    expect(routesOf(false).toSorted()).toEqual(DECLARED.everyone.toSorted());
    expect(routesOf(true).toSorted()).toEqual(DECLARED.operator.toSorted());
  });

  test("are described by a valid OpenAPI document that covers every answer", async () => {
    const { valid, errors } = await new Validator().validate(api);
    expect(errors ?? []).toEqual([]);
    expect(valid).toBe(true);
    const lacking = [...operations].filter(([, { responses, requestBody }]) => {
      // Status 304 never has content (RFC 9110, 15.4.5).
      const isDescribed = Object.entries(responses).every(
        ([status, { content }]) => status === "304" || Object.values(content ?? {}).some(({ schema }) => schema !== undefined),
      );
      return !isDescribed || (requestBody !== undefined && !["400", "413", "415"].every((status) => status in responses));
    });
    expect(lacking.map(([route]) => route)).toEqual([]);
  });
});

describe("the operator's routes", () => {
  test.each(DECLARED.operator)("%s refuses every token except the right token", async (route) => {
    for (const authorization of [undefined, ...Object.values(CREDENTIALS)]) {
      const response = await request(route, authorization === undefined ? {} : { authorization });
      const told = await response.text();
      expect([authorization, response.status, response.headers.get("www-authenticate")]).toEqual([authorization, 401, "Bearer"]);
      expect(told).not.toContain(OPERATOR_TOKEN);
    }
  });

  test("have no effect without the right token", async () => {
    for (const route of ["GET /sources", "GET /runs", "GET /models", "GET /keys"]) {
      const response = await request(route, OPERATOR);
      expect([route, response.status, await response.json()]).toEqual([route, 200, []]);
    }
  });

  test.each([
    "//sources",
    "/Sources",
    "/sources/",
    "/sources.",
    "/%2e/sources",
    "/sources/..%2fsources",
    "/a/%2e%2e/sources",
    "/sources%00",
    "/nowhere",
  ])("cannot be reached around the token by %s", async (path) => {
    expect([401, 404]).toContain((await door.send("GET", `http://tiffin.test${path}`)).status);
  });
});

describe("bodies", () => {
  const HOSTILE: readonly (readonly [string, string, number])[] = [
    ["malformed JSON", "{", 400],
    ["nothing", "", 400],
    ["null", "null", 400],
    ["a list", "[]", 400],
    ["a text", '"text"', 400],
    ["an unknown field", '{"colour":"red"}', 400],
    ["a prototype", '{"__proto__":{"text":"a"},"constructor":1}', 400],
    ["wrong types", '{"text":1,"receipt":1,"url":1,"source":1,"preset":1,"graceSeconds":"1","tokens":"1"}', 400],
    ["too many bytes", JSON.stringify({ text: "a".repeat(70_000) }), 413],
  ];
  const ROUTES = [
    "/generate",
    "/feedback",
    "/tokenize",
    "/detokenize",
    "/predict",
    "/classify",
    "/explain",
    "/trace",
    "/sources",
    "/crawls",
    "/runs",
    "/runs/x/branch",
    "/garbage-collections",
    "/alignments",
  ];
  /** Routes of other protocols ignore unknown fields and have their own form of an error. */
  const FOREIGN = ["/v1/embeddings", "/v1/completions", "/v1/chat/completions", "/api/generate", "/api/chat", "/api/show"];

  test.each(ROUTES.flatMap((route) => HOSTILE.map(([what, body, status]) => [route, what, body, status] as const)))(
    "%s refuses %s",
    async (route, _, body, status) => {
      const response = await door.send("POST", route, body, OPERATOR);
      expect(response.status).toBe(status);
      expect(await response.json()).toEqual({ error: expect.any(String) });
    },
  );

  const text: unknown = expect.any(String);
  const FORMS: Readonly<Record<string, object>> & { default: object } = {
    "/v1/": { error: { message: text, type: text } },
    default: { error: text },
  };

  test.each(FOREIGN.flatMap((route) => HOSTILE.map(([what, body, status]) => [route, what, body, status] as const)))(
    "%s refuses %s in its own form",
    async (route, what, body, status) => {
      const response = await door.send("POST", route, body, OPERATOR);
      // Every field of /api/show is optional. Without a model there is nothing to show.
      const isEmptyQuestion = route === "/api/show" && ["an unknown field", "a prototype", "wrong types"].includes(what);
      expect(response.status).toBe(isEmptyQuestion ? 503 : status);
      const form = FORMS[route.slice(0, 4)] ?? FORMS.default;
      expect(await response.json()).toMatchObject(form);
    },
  );

  test("may be omitted only if every field is optional", async () => {
    expect(await (await door.send("POST", "/crawls", undefined, OPERATOR)).json()).toEqual([]);
    expect((await door.send("POST", "/garbage-collections", undefined, OPERATOR)).status).toBe(200);
    for (const route of ["/generate", "/feedback", "/sources"])
      expect((await door.send("POST", route, undefined, OPERATOR)).status).toBe(400);
    const required = [...operations].filter(([, { requestBody }]) => requestBody?.required).map(([route]) => route);
    const questions = DECLARED.everyone.filter((route) => route.startsWith("POST"));
    const others = [
      "POST /hub/api/models/{owner}/{name}/paths-info/{revision}",
      "POST /imports",
      "POST /keys",
      "POST /lessons",
      "POST /models",
      "POST /sources",
    ];
    expect(required.toSorted()).toEqual([...questions, ...others].toSorted());
  });

  test("of another type are refused; so is another method", async () => {
    expect((await door.send("POST", "/generate", "text=a", { ...OPERATOR, "content-type": "text/plain" })).status).toBe(415);
    const response = await door.send("GET", "/generate", undefined, OPERATOR);
    expect([response.status, response.headers.get("allow")]).toEqual([405, "POST"]);
  });

  test("that no route reads are drained, so that every client sees the refusal", async () => {
    const body = "a".repeat(4 * 1024 * 1024);
    const bytes = { "content-type": "application/octet-stream" };
    const refusals = [
      ["PUT", "/uploads/notes/large", bytes, 401],
      ["POST", "/generate", { "content-type": "application/json" }, 413],
      ["PUT", "/uploads/notes/large", { ...OPERATOR, "content-type": "text/plain" }, 415],
    ] as const;
    for (const [method, path, headers, status] of refusals) {
      const answers = await Promise.all(Array.from({ length: 8 }, () => door.send(method, path, body, headers)));
      expect(answers.map((answer) => answer.status)).toEqual(answers.map(() => status));
    }
  });

  test("of an upload are bytes of any kind and become documents of the corpus", async () => {
    const bytes = { ...OPERATOR, "content-type": "application/octet-stream" };
    const response = await door.send("PUT", "/uploads/notes/a.md?lang=en", "# A note\n\nOne line.", bytes);
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ state: "done", source: "upload-notes", documents: 1, failed: 0 });
    expect((await door.send("PUT", "/uploads/notes/a.md", "{}", OPERATOR)).status).toBe(415);
    expect((await door.send("PUT", "/uploads/notes/.hidden", "a", bytes)).status).toBe(400);
    expect((await door.send("PUT", "/uploads/notes/large", "a".repeat(5 * 1024 * 1024 + 1), bytes)).status).toBe(413);
    const removal = await door.send("DELETE", "/documents?url=upload:notes/a.md", undefined, OPERATOR);
    expect(await removal.json()).toEqual({ removed: 1 });
  });
});
