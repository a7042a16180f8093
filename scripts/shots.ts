/**
 * `npm run shots -- [--url URL] [--out FOLDER] [SCREEN...]`: takes screenshots of the Studio for people to look at. It shows each
 * screen as a signed-in operator sees it, at 390 and 1200 px, light and dark. It uses the Tiffin that runs from this folder.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { createCode } from "../shared/session-codes.ts";
import { reachTiffin } from "./local/reach.ts";
import { stopOnExit } from "./local/processes.ts";
import { ROOT } from "./local/workers.ts";
import { findChromium, launch } from "./studio/chromium.ts";

const WIDTHS = [390, 1200] as const;
const SCHEMES = ["light", "dark"] as const;
/** The wait before a screenshot, for the page's first answers and for animations. */
const SETTLE_MS = 2500;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { url: { type: "string" }, out: { type: "string" }, query: { type: "string" } },
});
const folder = values.out ?? join(ROOT, ".tiffin", "shots");
stopOnExit();
const found = await findChromium();
if (found === null) throw new Error("shots: expected a Chromium: install one, or name its executable in CHROMIUM_PATH");
mkdirSync(folder, { recursive: true });
const tiffin = await reachTiffin(values.url);
const browser = await launch(found);
try {
  const { code } = await createCode(tiffin.token, "link", Date.now());
  const context = await browser.newContext({ reducedMotion: "reduce" });
  const page = await context.newPage();
  await page.goto(`${tiffin.url}/studio/#code=${code}`);
  await page.getByRole("button", { name: "Sign out" }).waitFor();
  const screens = await page
    .getByRole("navigation")
    .getByRole("link")
    .evaluateAll((links) => links.map((link) => link.getAttribute("href") ?? ""));
  for (const path of screens) {
    const name = path.replace(/^\/studio\//, "") || "pipeline";
    if (positionals.length > 0 && !positionals.includes(name)) continue;
    for (const width of WIDTHS) {
      for (const colorScheme of SCHEMES) {
        await page.setViewportSize({ width, height: 900 });
        await page.emulateMedia({ colorScheme });
        await page.goto(tiffin.url + path + (values.query ?? ""));
        await page.waitForTimeout(SETTLE_MS);
        const file = join(folder, `${name}-${width}-${colorScheme}.png`);
        await page.screenshot({ path: file, fullPage: true });
        console.log(file);
      }
    }
  }
} finally {
  await browser.close();
  await tiffin.close();
}
