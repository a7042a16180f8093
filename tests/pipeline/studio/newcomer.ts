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

/** Texts of different pages. The collector drops pages that repeat themselves or another page. */
const TEXTS = [
  `The kettle stands on the stove in the morning, and the first cup of the day is for the person who wakes up before the others. In
   summer the leaves come from the hills behind the village, where women pick them by hand and carry them down in baskets. They are dried
   on long tables that stand in the shade of the old school, and the children learn to turn them with flat wooden spoons.`,
  `Milk and sugar go into the pot at the end of cooking, when the water has taken the colour of bricks and smells of ginger. A good cook
   watches the bubbles and lifts the pan from the fire just as it wants to run over. With every lift the drink becomes stronger, so that
   three lifts are enough for most guests, while four are meant for workers who have the whole night in front of them.`,
  `Trains have carried the small clay cups for more than a hundred years, and the sellers walk through the cars with a song of their own.
   When the cup is empty the traveller throws it out of the window, because it is only dried earth and will be earth again after the next
   rain. Nobody has ever counted how many of them lie between the rails of the southern line, but there must be millions.`,
  `My grandmother used to say that a house without visitors is a house with cold water. She had twelve glasses, each of another colour,
   and remembered which neighbour liked which of them. On the day of her wedding she had been given the green one, and it was never filled
   for anybody but her sister, who came by bus once a year and stayed until the mangoes were ripe.`,
];
const sentences = (page: number): string => TEXTS[page] ?? "";

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
