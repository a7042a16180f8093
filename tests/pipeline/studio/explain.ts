/** Tests of the explain screen. studio.test.ts starts the Workers, publishes a model and calls this file. */
import { describe, expect, test } from "vitest";
import { press, type } from "./screens.ts";
import type { Opened } from "./visit.ts";

export function describeExplain(open: () => Opened): void {
  describe("explain", () => {
    test("shows by keyboard alone what a token looks at and what could have come, and keeps it in the address", async () => {
      const { visitor } = open();
      const visit = await visitor.visit("/studio/explain");
      const { page } = visit;
      expect(await visitor.faultsOf(visit)).toEqual([]);
      await type(page, "Text to read", "<b>it\u202E sat");
      await press(page, "Explain");
      const token = (place: number) => page.getByRole("button", { name: new RegExp(`^Token ${place}:`) });
      await token(11).waitFor();
      await page.keyboard.press("Escape");
      await token(11).focus();
      for (let step = 0; step < 8; step++) await page.keyboard.press("ArrowLeft");
      await page.keyboard.press("Enter");
      // The third token attends to three tokens, so the later ones have no weight.
      await expect.poll(() => token(4).textContent()).toContain("later");
      const shares = await Promise.all([1, 2, 3].map(async (place) => Number(/(\d+) %/.exec((await token(place).textContent())!)![1])));
      expect(Math.abs(shares.reduce((sum, share) => sum + share, 0) - 100)).toBeLessThanOrEqual(2);
      await page
        .getByText(/^All heads together: “>” looks most at/)
        .first()
        .waitFor();
      await page.getByRole("button", { name: /^Layer 1, head 1: “>” looks most at/ }).focus();
      await page.keyboard.press("Enter");
      await page
        .getByText(/^Layer 1, head 1: “>” looks most at/)
        .first()
        .waitFor();
      expect(new URL(page.url()).search).toBe("?text=%3Cb%3Eit%E2%80%AE+sat&token=2&head=1.1");
      await page.getByText("The weights as a table").click();
      expect(await visitor.faultsOf(visit)).toEqual([]);

      await page.reload();
      await page
        .getByText(/^Layer 1, head 1: “>” looks most at/)
        .first()
        .waitFor();
      await page
        .getByRole("region", { name: /^In the place of/ })
        .getByRole("button", { name: /^Go on with this one/ })
        .first()
        .press("Enter");
      await expect.poll(() => page.getByLabel("Text to read").inputValue()).toMatch(/^<b.$/su);
      await token(11).waitFor({ state: "detached" });
      await page.goBack();
      await token(11).waitFor();
      expect(await page.getByLabel("Text to read").inputValue()).toBe("<b>it\u202E sat");
      expect(visit.faults).toEqual([]);
      await visit.close();
    });

    test("reads a question as the playground asks it, and says why a text is too long", async () => {
      const { visitor, door } = open();
      const visit = await visitor.visit("/studio/explain?as=question&text=I+need+songs&place=gym");
      const { page } = visit;
      await page.getByRole("heading", { name: "After the last token" }).waitFor();
      const asked = { text: "I need songs", context: { place: "gym" } };
      const { tokens } = (await (await door.send("POST", "/explain", asked)).json()) as { tokens: unknown[] };
      expect(await page.getByRole("button", { name: /^Token \d/ }).count()).toBe(tokens.length);
      await type(page, "Text to read", "long ".repeat(60));
      await press(page, "Explain");
      await page.getByRole("alert").getByText("expected 1..128 tokens").waitFor();
      expect(await visitor.faultsOf(visit)).toEqual([]);
      await visit.close();
    });
  });
}
