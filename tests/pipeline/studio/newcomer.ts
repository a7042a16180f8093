/**
 * A newcomer's path through the Studio, from the printed link to a vote, by keyboard and without a command. studio.test.ts starts
 * the Workers and calls this file while nothing is collected yet.
 */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { studioLink } from "../../../scripts/local/stack.ts";
import { OPERATOR_TOKEN } from "../harness.ts";
import { press, type } from "./screens.ts";
import type { Opened } from "./visit.ts";

const sentences = (page: number) =>
  Array.from({ length: 12 }, (_, line) => `Page ${page} tells of the kettle, the cup and the tea that is poured at ${line} o'clock. `).join(
    "",
  );

/** A web site of four pages. Its origin must be the collector's LOCAL_ORIGIN. */
export async function openTeaSite(): Promise<{ origin: string; close(): Promise<void> }> {
  const links = [1, 2, 3].map((page) => `<a href="/page/${page}">page ${page}</a>`).join(" ");
  const server: Server = createServer(({ url = "/" }, response) => {
    response.setHeader("content-type", "text/html");
    const page = /^\/page\/(\d)$/.exec(url)?.[1];
    if (url === "/") response.end(`<html><head><title>Tea</title></head><body><p>${sentences(0)}</p>${links}</body></html>`);
    else if (page === undefined) response.writeHead(404).end();
    else response.end(`<html><head><title>Tea</title></head><body><article><p>${sentences(Number(page))}</p></article></body></html>`);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

/** Follows a link of the navigation. */
async function go(page: Page, screen: string): Promise<void> {
  await page.getByRole("navigation").getByRole("link", { name: screen, exact: true }).press("Enter");
  await page.getByRole("navigation").locator(`a[aria-current=page]:text-is("${screen}")`).waitFor();
  await page.locator("#app[data-live]").waitFor({ state: "attached" });
}

export function describeNewcomer(open: () => Opened & { site: string }): void {
  describe("a newcomer", () => {
    test("comes by the printed link from the first page collected to a counted vote, without a command", async () => {
      const { door, visitor, site } = open();
      const link = new URL(await studioLink(door.url.origin, OPERATOR_TOKEN));
      // On a slow machine the browser reports the transitions between pages that it left out.
      const visit = await visitor.visit(link.pathname + link.hash, { reducedMotion: "reduce" });
      const { page } = visit;
      await page.getByRole("button", { name: "Sign out" }).waitFor();
      await go(page, "Learn");
      await page.getByText("This pipeline has done 0 of 6 steps").first().waitFor();

      await page.getByRole("link", { name: "See what was collected" }).press("Enter");
      await page.getByRole("heading", { name: "Sources", exact: true }).waitFor();
      await press(page, "Add a source");
      await type(page, "Address", `${site}/`);
      await page.keyboard.press("Enter");
      await page.getByText("Done: 4 pages read").waitFor();
      await page.getByRole("link", { name: "Tea" }).first().waitFor();
      await go(page, "Learn");
      await page.getByText(/^The first page is collected: 4 documents/).waitFor();

      await go(page, "Training");
      await page.getByRole("heading", { name: "No run yet" }).waitFor();
      await press(page, "Start a run");
      await page.getByRole("dialog").getByRole("combobox").selectOption("tiny");
      await page.getByLabel("Tokens to learn (empty: as the size suggests)").fill("4096");
      await page.keyboard.press("Enter");
      await page
        .getByText(/^Done\. The best validation loss is/)
        .first()
        .waitFor();
      await go(page, "Learn");
      await page.getByText(/^The first token is cut: /).waitFor();
      await page.getByText(/^A model answers: model/).waitFor();

      await page.getByRole("link", { name: "Vote on an answer" }).press("Enter");
      await page.getByRole("button", { name: "Ask", exact: true }).press("Enter");
      await press(page, "Good answer");
      await page.getByText("Thank you.").waitFor();
      await go(page, "Learn");
      await page.getByText("The first vote is counted: 1 answer voted on today").waitFor();
      await page.getByText(/^An answer was given today: /).waitFor();
      expect(visit.faults).toEqual([]);
      await visit.close();
    });
  });
}
