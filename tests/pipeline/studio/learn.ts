/** Tests of the network on the learn screen. studio.test.ts starts the Workers and calls this file. */
import { describe, expect, test } from "vitest";
import { press } from "./screens.ts";
import type { Opened } from "./visit.ts";

export function describeLearn(open: () => Opened): void {
  describe("the network on the learn screen", () => {
    test("trains by keyboard alone, shows its shares beside the taught ones, and keeps its choices in the address", async () => {
      const { visitor } = open();
      const visit = await visitor.visit("/studio/learn?hidden=8&place=gym");
      const { page } = visit;
      const sentence = (text: string | RegExp) => page.getByText(text).first().waitFor();
      await sentence("After 0 steps (morning, gym)");
      await press(page, "Train");
      await sentence(/^After (12|24|36|48|60) steps/);
      await press(page, "Pause");
      await press(page, "Start again");
      await sentence("After 0 steps (morning, gym)");
      // With reduced motion the training is done at once.
      await page.emulateMedia({ reducedMotion: "reduce" });
      await press(page, "Train");
      await sentence(/^After 600 steps \(morning, gym\): workout songs 8\d %, taught 87 %/);
      await page.getByText("Values of the hidden units").press("Enter");
      expect((await page.getByText(/^Layer 1: /).textContent())!.split(", ")).toHaveLength(8);
      await page.getByLabel("Place").selectOption("party");
      await sentence(/^After 600 steps \(morning, party\): party songs [67]\d %, taught 70 %/);
      expect(await visitor.faultsOf(visit)).toEqual([]);
      await page.getByLabel("Activation").selectOption("sigmoid");
      await sentence("After 0 steps (morning, party)");
      expect(new URL(page.url()).search).toBe("?hidden=8&place=party&activation=sigmoid");
      expect(await page.locator("svg.network circle.value").count()).toBe(7 + 8 + 4);
      expect(visit.faults).toEqual([]);
      await visit.close();
    });
  });
}
