/** A redirect is decided about hop by hop, before anything is asked; a private address is never asked. */
import { afterEach, expect, test, vi } from "vitest";
import { ask, fetchPage } from "../../../../workers/collector/web/fetch-page.ts";

afterEach(() => {
  vi.unstubAllGlobals();
});

const everything = () => null;
const refuse = (url: URL) => (url.pathname === "/again" ? "robots" : null);

test("does not follow a redirect to a private address", async () => {
  const web = vi.fn(async () => new Response(null, { status: 302, headers: { location: "http://127.0.0.1/private" } }));
  vi.stubGlobal("fetch", web);
  await expect(fetchPage(new URL("http://example.com/"), (url) => ask(url, ""), everything)).rejects.toThrow("refused");
  expect(web).toHaveBeenCalledTimes(1);
});

test("ends a redirect loop and says why a hop was refused", async () => {
  const web = vi.fn(async () => new Response(null, { status: 301, headers: { location: "/again" } }));
  vi.stubGlobal("fetch", web);
  await expect(fetchPage(new URL("http://example.com/"), (url) => ask(url, ""), everything)).rejects.toThrow(
    "redirects: expected at most 5",
  );
  expect(web).toHaveBeenCalledTimes(6);
  await expect(fetchPage(new URL("http://example.com/"), (url) => ask(url, ""), refuse)).rejects.toThrow("robots");
  expect(web).toHaveBeenCalledTimes(7);
});
