/** Redirects are checked hop by hop before anything is asked. */
import { afterEach, expect, test, vi } from "vitest";
import { fetchPage } from "../../../workers/collector/fetch-page.ts";

afterEach(() => {
  vi.unstubAllGlobals();
});

test("does not follow a redirect to a private address", async () => {
  const web = vi.fn(async () => new Response(null, { status: 302, headers: { location: "http://127.0.0.1/private" } }));
  vi.stubGlobal("fetch", web);
  await expect(fetchPage(new URL("http://example.com/"), "", () => true)).rejects.toThrow("refused");
  expect(web).toHaveBeenCalledTimes(1);
});
