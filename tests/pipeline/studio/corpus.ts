/** Tests of the corpus screen, with hostile pages. studio.test.ts starts the Workers and calls this file. */
import { describe, expect, test } from "vitest";
import { OPERATOR } from "../gateway/door.ts";
import { press, type } from "./screens.ts";
import { HOSTILE, type Opened } from "./visit.ts";

/** A mark of direction is shown by its code point, so that no name looks like another one. */
const SHOWN = HOSTILE.replace("\u202E", "U+202E");
/** Close to the largest document that the corpus stores. */
const LONG_WORD = "w".repeat(900_000);

export function describeCorpus(open: () => Opened): void {
  describe("corpus", () => {
    test("finds a hostile document by keyboard, and shows its title, text, licence and refused neighbours as text", async () => {
      const { door, visitor } = open();
      const lines = [{ text: HOSTILE, title: HOSTILE, licence: HOSTILE }, { text: LONG_WORD, title: "t".repeat(50_000) }, { text: 1 }];
      const body = lines.map((line) => JSON.stringify(line)).join("\n");
      const uploaded = await door.send("PUT", "/uploads/hostile/a.jsonl", body, {
        ...OPERATOR,
        "content-type": "application/octet-stream",
      });
      expect(uploaded.status).toBe(200);
      const visit = await visitor.visit("/studio/corpus", { signedIn: true });
      const { page } = visit;
      await page.getByRole("link", { name: "t".repeat(300) }).waitFor();
      await type(page, "Words of the title or address", "onerror");
      await page.keyboard.press("Enter");
      await expect.poll(() => page.getByRole("link", { name: "t".repeat(300) }).count()).toBe(0);
      await page
        .getByRole("table")
        .getByRole("link", { name: HOSTILE.slice(0, 20) })
        .press("Enter");
      const document = page.getByRole("region", { name: HOSTILE.slice(0, 20) });
      expect(await document.getByRole("heading").textContent()).toBe(SHOWN);
      expect(await document.locator("pre").textContent()).toBe(SHOWN);
      expect(await document.locator("dd").nth(1).textContent()).toBe(SHOWN);
      await page.getByRole("link", { name: "Its pages of upload:hostile" }).press("Enter");
      await page.getByLabel("What became of them").selectOption("refused");
      await page.getByRole("cell", { name: "not kept" }).first().waitFor();
      expect(new URL(page.url()).searchParams.get("verdict")).toBe("refused");
      expect(await visitor.faultsOf(visit)).toEqual([]);
      const { sha256 } = (
        (await (await door.send("GET", "/documents?query=tttt", undefined, OPERATOR)).json()) as { documents: [{ sha256: string }] }
      ).documents[0];
      await page.goto(new URL(`/studio/corpus?document=${sha256}`, door.url).href);
      await page.getByText("Only the first 100,000 characters are shown.").waitFor();
      expect(await visitor.faultsOf(visit)).toEqual([]);
      await press(page, "Close the document");
      await page.getByText("Only the first 100,000").waitFor({ state: "detached" });
      for (const name of ["a.jsonl#1", "a.jsonl#2"])
        await door.send("DELETE", `/documents?url=${encodeURIComponent(`upload:hostile/${name}`)}`, undefined, OPERATOR);
      await visit.close();
    });
  });
}
