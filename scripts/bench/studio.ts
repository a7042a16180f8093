/**
 * `npm run bench -- studio [--visits 5] [--live 10] [--no-draw] [--no-paint]`: the size of the Studio's pages and of the gateway's
 * part, the tick of a long run, the drawing of its curve (with --live: also for these minutes), and the time until pages are
 * painted. Sizes are after gzip -9. Paints are measured in a real Chromium with a processor slowed down 4 times, 1.6 Mbit/s, a latency of 150 ms
 * and a width of 390 px. The smallest answer of the same server is measured in the same run, for comparison. The figure is the
 * median of five visits, each with an empty cache.
 */
import type { Browser } from "playwright-core";
import { buildStudio, BUDGETS, type ScreenSize } from "../build/studio.ts";
import type { Print } from "../cli/runner.ts";
import { reachTiffin } from "../local/reach.ts";
import { median } from "./support/statistics.ts";
import { measureDrawing } from "./support/studio/drawing.ts";
import { gatewayGrowth } from "./support/studio/gateway-growth.ts";
import { measureTicks, ROUNDS } from "./support/studio/long-run.ts";
import { findChromium, launch } from "../studio/chromium.ts";

const SLOWDOWN = 4;
const BYTES_PER_SECOND = 1_600_000 / 8;
const LATENCY_MS = 150;
/** The time after loading in which a page may still paint, shift its layout or block. It is measured too. */
const SETTLE_MS = 3000;
/** An answer of a few bytes, which a browser shows as text. */
const SMALLEST = "/session";

const LIMITS = {
  paintAfterSmallestMs: 450,
  shift: 0.02,
  blockingMs: { plain: 200, curve: 300 },
  gatewayBytes: 8 * 1024,
  tickMs: 0.2,
  eventBytes: 600,
  drawMs: 50,
  updateMs: 16,
  /** Of a core, for a page that watches a live run. */
  share: 0.02,
  /** A flat heap still grows a little: the curve gains up to 400 rounds before it is read again. */
  heapGrowth: 1.2,
} as const;

interface Visit {
  firstPaint: number;
  largestPaint: number;
  shift: number;
  blocking: number;
}

/**
 * Runs in the page before the page's own scripts. A task of more than 50 ms blocks the page for the rest of its time
 * (web.dev/articles/tbt).
 */
const OBSERVE = `
  globalThis.seen = { firstPaint: 0, largestPaint: 0, shift: 0, blocking: 0 };
  const watch = (type, take) => new PerformanceObserver((list) => list.getEntries().forEach(take)).observe({ type, buffered: true });
  watch("paint", ({ name, startTime }) => { if (name === "first-paint") seen.firstPaint = startTime; });
  watch("largest-contentful-paint", ({ startTime }) => { seen.largestPaint = startTime; });
  watch("layout-shift", ({ value, hadRecentInput }) => { if (!hadRecentInput) seen.shift += value; });
  watch("longtask", ({ duration }) => { seen.blocking += Math.max(0, duration - 50); });
`;

async function visit(browser: Browser, url: string): Promise<Visit> {
  const context = await browser.newContext({ viewport: { width: 390, height: 844 } });
  try {
    const page = await context.newPage();
    await page.addInitScript(OBSERVE);
    const devtools = await context.newCDPSession(page);
    await devtools.send("Emulation.setCPUThrottlingRate", { rate: SLOWDOWN });
    await devtools.send("Network.enable");
    const speed = { downloadThroughput: BYTES_PER_SECOND, uploadThroughput: BYTES_PER_SECOND };
    await devtools.send("Network.emulateNetworkConditions", { offline: false, latency: LATENCY_MS, ...speed });
    await page.goto(url, { waitUntil: "load" });
    await page.waitForTimeout(SETTLE_MS);
    return (await page.evaluate("seen")) as Visit;
  } finally {
    await context.close();
  }
}

async function visits(browser: Browser, url: string, times: number): Promise<Visit> {
  const all: Visit[] = [];
  for (let index = 0; index < times; index++) all.push(await visit(browser, url));
  const of = (field: keyof Visit) => median(all.map((each) => each[field]));
  return { firstPaint: of("firstPaint"), largestPaint: of("largestPaint"), shift: of("shift"), blocking: of("blocking") };
}

const kib = (bytes: number) => `${(bytes / 1024).toFixed(1)} KiB`;

function describe({ screen, script, sheet, page, view, files, hasCurve }: ScreenSize): string {
  const kind = hasCurve ? "curve" : "plain";
  const limits = `script ${kib(script)} of ${kib(BUDGETS.script[kind])}, sheet ${kib(sheet)}, page ${kib(page)}`;
  return `${screen.padEnd(11)} ${limits}, whole view ${kib(view)} of ${kib(BUDGETS.view[kind])} in ${files} files`;
}

async function server(print: Print): Promise<Record<string, unknown> & { ok: boolean }> {
  const [{ gateway, growth }, short, long] = [await gatewayGrowth(), await measureTicks(74), await measureTicks(ROUNDS)];
  print(`gateway     ${kib(gateway)}, of which the Studio ${kib(growth)} of ${kib(LIMITS.gatewayBytes)}`);
  print(
    `tick        ${short.tickMs.toFixed(4)} ms at 74 rounds, ${long.tickMs.toFixed(4)} at ${ROUNDS} (at most ${LIMITS.tickMs}); events of ${long.firstBytes} and ${long.roundBytes} bytes (at most ${LIMITS.eventBytes})`,
  );
  const ok = growth <= LIMITS.gatewayBytes && long.tickMs <= LIMITS.tickMs && long.firstBytes <= LIMITS.eventBytes;
  return { gateway, growth, short, long, ok };
}

async function drawing(browser: Browser, minutes: number, print: Print): Promise<Record<string, unknown> & { ok: boolean }> {
  const drawn = await measureDrawing(browser, minutes);
  const { firstMs, drawMs, updateMs, live } = drawn;
  print(
    `curve       of ${ROUNDS} rounds: drawn in ${drawMs.toFixed(1)} ms (at most ${LIMITS.drawMs}; ${firstMs.toFixed(1)} with the page around it), updated in ${updateMs.toFixed(1)} ms (at most ${LIMITS.updateMs}) of the main thread`,
  );
  if (live !== null)
    print(
      `live        ${live.minutes} minutes: heap ${kib(live.heapBefore)} -> ${kib(live.heapAfter)}, ${(100 * live.share).toFixed(2)} % of a core (at most ${100 * LIMITS.share})`,
    );
  const isCalm = live === null || (live.share <= LIMITS.share && live.heapAfter <= LIMITS.heapGrowth * live.heapBefore);
  return { ...drawn, ok: drawMs <= LIMITS.drawMs && updateMs <= LIMITS.updateMs && isCalm };
}

/** Opens every page and compares it with the smallest answer of the same server. */
async function painting(
  browser: Browser,
  sizes: readonly ScreenSize[],
  times: number,
  print: Print,
): Promise<{ smallest: Visit; paints: Record<string, Visit>; ok: boolean }> {
  const tiffin = await reachTiffin();
  try {
    const smallest = await visits(browser, tiffin.url + SMALLEST, times);
    print(`smallest answer: first paint after ${smallest.firstPaint.toFixed(0)} ms`);
    const paints: Record<string, Visit> = {};
    let ok = true;
    for (const { screen, path, hasCurve } of sizes) {
      const seen = await visits(browser, tiffin.url + path, times);
      paints[screen] = seen;
      const after = seen.firstPaint - smallest.firstPaint;
      const isGood =
        after <= LIMITS.paintAfterSmallestMs &&
        seen.shift <= LIMITS.shift &&
        seen.blocking <= LIMITS.blockingMs[hasCurve ? "curve" : "plain"];
      ok &&= isGood;
      const figures = `first paint ${after.toFixed(0)} ms later, largest ${(seen.largestPaint - smallest.firstPaint).toFixed(0)} ms later`;
      print(
        `${screen.padEnd(11)} ${figures}, shift ${seen.shift.toFixed(4)}, blocking ${seen.blocking.toFixed(0)} ms${isGood ? "" : "  ABOVE THE LIMIT"}`,
      );
    }
    return { smallest, paints, ok };
  } finally {
    await tiffin.close();
  }
}

export const FLAGS = { visits: 5, live: 0, draw: true, paint: true };

export async function run({ visits: times, live, draw, paint }: typeof FLAGS, print: Print): Promise<Record<string, unknown>> {
  const sizes = await buildStudio();
  for (const size of sizes) print(describe(size));
  const served = await server(print);
  const found = paint || draw ? await findChromium() : null;
  if (found === null) return { sizes, served, ok: served.ok };
  const browser = await launch(found);
  try {
    const drawn = draw ? await drawing(browser, live, print) : { ok: true };
    const { ok, ...painted } = paint ? await painting(browser, sizes, times, print) : { ok: true };
    return { sizes, served, drawn, ...painted, ok: served.ok && drawn.ok && ok };
  } finally {
    await browser.close();
  }
}
