/**
 * Tests of sessions in a browser: who gets a session, and what another page can do with it. studio.test.ts starts the Workers and
 * calls this file.
 */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createCode, nameOfSecret } from "../../../shared/session-codes.ts";
import { OPERATOR } from "../gateway/door.ts";
import { OPERATOR_TOKEN } from "../harness.ts";
import { press, type } from "./screens.ts";
import type { Opened } from "./visit.ts";

/**
 * `open` returns the running Workers and the browser. Call it inside tests only, because nothing runs while tests are being
 * listed.
 */
export function describeSessions(open: () => Opened): void {
  describe("signing in", () => {
    test("is possible with the token by keyboard alone, and ends with signing out", async () => {
      const visit = await open().visitor.visit("/studio/");
      const { page } = visit;
      await press(page, "Sign in");
      await page.keyboard.type("a wrong token");
      await page.keyboard.press("Enter");
      await page.getByText("expected the operator's token").waitFor();
      await type(page, "Operator’s token", OPERATOR_TOKEN);
      await page.keyboard.press("Enter");
      await page.getByRole("button", { name: "Sign out" }).waitFor();
      expect(await page.evaluate(async () => (await fetch("/runs")).status)).toBe(200);
      expect(await page.evaluate("document.cookie")).toBe("");
      await press(page, "Sign out");
      await page.getByRole("button", { name: "Sign in" }).waitFor();
      expect(await page.evaluate(async () => (await fetch("/runs")).status)).toBe(401);
      await visit.close();
    });

    test("is done by a printed link, whose code leaves the address", async () => {
      const { code } = await createCode(OPERATOR_TOKEN, "link", Date.now());
      const visit = await open().visitor.visit(`/studio/#code=${code}`);
      await visit.page.getByRole("button", { name: "Sign out" }).waitFor();
      expect(visit.page.url()).not.toContain(code);
      await visit.close();
    });

    test("a forged, an expired and another token's code open nothing", async () => {
      const now = Date.now();
      const [own, other] = await Promise.all([createCode(OPERATOR_TOKEN, "link", now), createCode("another token", "link", now)]);
      const old = await createCode(OPERATOR_TOKEN, "link", now - 3_600_000);
      const session = await createCode(OPERATOR_TOKEN, "session", now);
      for (const code of [own.code.replace(/.$/, (last) => (last === "0" ? "1" : "0")), old.code, other.code, session.code])
        expect((await open().door.send("POST", "/session", { code }, OPERATOR)).status).toBe(403);
    });
  });

  describe("a page of another port", () => {
    let foreign: Server;
    beforeAll(async () => {
      foreign = createServer((_, response) => response.setHeader("content-type", "text/html").end("<!doctype html><title>other</title>"));
      await new Promise<void>((resolve) => foreign.listen(0, "127.0.0.1", resolve));
    });
    afterAll(() => foreign.close());

    test("can neither read nor do anything with a session", async () => {
      const { page, close } = await open().visitor.visit("/studio/", { signedIn: true });
      await page.getByRole("button", { name: "Sign out" }).waitFor();
      await page.goto(`http://127.0.0.1:${(foreign.address() as AddressInfo).port}/`);
      // The code is a string, because tsc would check it with the types of Workers, which lack some of the browser's options of
      // fetch.
      const added = await page.evaluate(`(async () => {
        const send = (path, options) =>
          fetch("${open().door.url.origin}" + path, { credentials: "include", ...options }).then((response) => response.type, () => "refused");
        const json = { "content-type": "application/json" };
        return [
          await send("/runs", {}),
          await send("/sources", { method: "POST", body: '{"url":"https://example.com/"}', headers: json }),
          await send("/crawls", { method: "POST", mode: "no-cors" }),
          await send("/session", { method: "DELETE" }),
        ];
      })()`);
      expect(added).toEqual(["refused", "refused", "refused", "refused"]);
      const { origin } = open().door.url;
      const sources = async () => (await (await open().door.send("GET", "/sources", undefined, OPERATOR)).json()) as unknown[];
      const before = await sources();
      const others = await page.evaluate(`(async () => {
        const image = () => new Promise((resolve) => {
          const element = new Image();
          element.onload = () => resolve("image loaded");
          element.onerror = () => resolve("refused");
          element.src = "${origin}/runs";
        });
        const stream = () => new Promise((resolve) => {
          const source = new EventSource("${origin}/events?run=x", { withCredentials: true });
          source.onopen = () => resolve("stream opened");
          source.onerror = () => { source.close(); resolve("refused"); };
        });
        return [await image(), await stream()];
      })()`);
      expect(others).toEqual(["refused", "refused"]);
      // A form needs no preflight either. Its body can look like JSON.
      const answered = page.waitForResponse((response) => response.url() === `${origin}/sources`);
      await page.evaluate(`
        document.body.innerHTML = '<iframe name="there"></iframe><form method="post" enctype="text/plain" target="there" action="${origin}/sources"><input name="body"></form>';
        document.querySelector("input").name = '{"url":"https://example.com/","scope":"';
        document.querySelector("input").value = 'host"}';
        document.querySelector("form").submit();
      `);
      expect([401, 415]).toContain((await answered).status());
      expect(await sources()).toEqual(before);
      await page.evaluate(`document.body.innerHTML = '<iframe src="${origin}/studio/"></iframe>'`);
      await expect.poll(() => page.frames().map((frame) => frame.url())).toContain("chrome-error://chromewebdata/");
      // The third request needed no preflight, so it reached the gateway with the cookie. The gateway must ignore the cookie. The
      // following requests check this.
      const { code } = await createCode(OPERATOR_TOKEN, "session", Date.now());
      const cookie = `tiffin-${await nameOfSecret(OPERATOR_TOKEN)}=${code}`;
      const from = (site: string, method = "POST") =>
        open().door.send(method, method === "GET" ? "/runs" : "/crawls", undefined, { cookie, "sec-fetch-site": site });
      expect([(await from("same-site")).status, (await from("cross-site")).status, (await from("none")).status]).toEqual([401, 401, 401]);
      expect([(await from("same-site", "GET")).status, (await from("none", "GET")).status]).toEqual([401, 200]);
      expect((await from("same-origin")).status).toBe(200);
      expect((await open().door.send("POST", "/crawls", undefined, { cookie, origin: "http://127.0.0.1:1" })).status).toBe(401);
      await close();
    });
  });
}
