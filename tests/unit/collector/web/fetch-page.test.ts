/** Every hop of a redirect is checked before it is requested. A private address is never requested. */
import { afterEach, expect, test, vi } from "vitest";
import { ask, fetchPage } from "../../../../workers/collector/web/fetch-page.ts";

afterEach(() => {
  vi.unstubAllGlobals();
});

const everything = () => null;
const refuse = (url: URL) => (url.pathname === "/again" ? ("robots" as const) : null);

test("does not follow a redirect to a private address", async () => {
  const web = vi.fn(async () => new Response(null, { status: 302, headers: { location: "http://127.0.0.1/private" } }));
  vi.stubGlobal("fetch", web);
  expect(await fetchPage(new URL("http://example.com/"), (url) => ask(url, ""), everything)).toMatchObject({
    kind: "failure",
    cause: "refused",
  });
  expect(web).toHaveBeenCalledTimes(1);
});

test("ends a redirect loop and says why a hop was refused", async () => {
  const web = vi.fn(async () => new Response(null, { status: 301, headers: { location: "/again" } }));
  vi.stubGlobal("fetch", web);
  expect(await fetchPage(new URL("http://example.com/"), (url) => ask(url, ""), everything)).toEqual({
    kind: "failure",
    cause: "redirects",
    detail: "expected at most 5, got more",
  });
  expect(web).toHaveBeenCalledTimes(6);
  expect(await fetchPage(new URL("http://example.com/"), (url) => ask(url, ""), refuse)).toMatchObject({
    kind: "failure",
    cause: "robots",
  });
  expect(web).toHaveBeenCalledTimes(7);
});

test("distinguishes a silent server from an unreachable server", async () => {
  vi.stubGlobal("fetch", async () => {
    throw new DOMException("too slow", "TimeoutError");
  });
  expect(await ask(new URL("http://example.com/"), "")).toMatchObject({ kind: "failure", cause: "timeout" });
  vi.stubGlobal("fetch", async () => {
    throw new TypeError("connection refused");
  });
  expect(await ask(new URL("http://example.com/"), "")).toEqual({ kind: "failure", cause: "network", detail: "connection refused" });
});
