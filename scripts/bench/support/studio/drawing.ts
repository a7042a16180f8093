/**
 * The main thread's work for a curve of 10,000 rounds: the first drawing, and an update by one round. Times are the thread's
 * processor time, so other processes do not change them.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Browser, CDPSession } from "playwright-core";
import { ROUNDS } from "./long-run.ts";
import { openStage } from "./stage.ts";

const SETTLE_MS = 1500;
const UPDATES = 40;
const UPDATE_EVERY_MS = 500;
const WARM_UP_UPDATES = 120;

async function metric(devtools: CDPSession, name: string): Promise<number> {
  const { metrics } = await devtools.send("Performance.getMetrics");
  return metrics.find((each) => each.name === name)?.value ?? 0;
}

const threadMs = async (devtools: CDPSession) => 1000 * (await metric(devtools, "TaskDuration"));

async function heapBytes(devtools: CDPSession): Promise<number> {
  await devtools.send("HeapProfiler.collectGarbage");
  return metric(devtools, "JSHeapUsedSize");
}

export interface Drawing {
  /** The first drawing, with the panels, tables and dialogs that come with the run. */
  firstMs: number;
  /** The whole curve again after a zoom. */
  drawMs: number;
  updateMs: number;
  /** Of a live run of `minutes`: bytes of heap at its begin and end, and the share of a core. */
  live: { minutes: number; heapBefore: number; heapAfter: number; share: number } | null;
}

export async function measureDrawing(browser: Browser, minutes: number): Promise<Drawing> {
  const stage = await openStage();
  const context = await browser.newContext({ viewport: { width: 1200, height: 900 } });
  try {
    const page = await context.newPage();
    const devtools = await context.newCDPSession(page);
    await devtools.send("Performance.enable", { timeDomain: "threadTicks" });
    await page.goto(stage.url);
    /** Answers the curve that the page has asked for, and returns the work until it is drawn. */
    const draw = async () => {
      while (!stage.isAsked()) await sleep(50);
      await sleep(SETTLE_MS);
      const before = await threadMs(devtools);
      stage.answerCurve();
      await page.locator(".chart path.mean").waitFor();
      await sleep(SETTLE_MS);
      return (await threadMs(devtools)) - before;
    };
    const firstMs = await draw();
    await page.getByRole("button", { name: "Zoom in" }).click();
    await draw();
    await page.getByRole("button", { name: "Whole run" }).click();
    const drawMs = await draw();

    let round = ROUNDS;
    const update = async (count: number) => {
      const start = await threadMs(devtools);
      for (let index = 0; index < count; index++) {
        stage.push(round++);
        await sleep(UPDATE_EVERY_MS);
        if (stage.isAsked()) stage.answerCurve();
      }
      return (await threadMs(devtools)) - start;
    };
    const updateMs = (await update(UPDATES)) / UPDATES;
    if (minutes === 0) return { firstMs, drawMs, updateMs, live: null };
    const count = (minutes * 60_000) / UPDATE_EVERY_MS;
    // The browser compiles the page's code in the first minute.
    await update(WARM_UP_UPDATES);
    const heapBefore = await heapBytes(devtools);
    const startedAt = performance.now();
    const share = (await update(count)) / (performance.now() - startedAt);
    return { firstMs, drawMs, updateMs, live: { minutes, heapBefore, heapAfter: await heapBytes(devtools), share } };
  } finally {
    await context.close();
    stage.close();
  }
}
