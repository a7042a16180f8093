/**
 * Opens pages of the Studio in a real browser, with the real Workers. `visit` opens a page and collects its faults: console
 * errors, violations of the security policy, and requests to other servers.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Browser, BrowserContext, BrowserContextOptions, Page } from "playwright-core";
import { createCode, nameOfSecret } from "../../../shared/session-codes.ts";
import { findChromium, launch } from "../../../scripts/studio/chromium.ts";
import type { openDoor } from "../gateway/door.ts";
import { OPERATOR_TOKEN } from "../harness.ts";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const RULES = { runOnly: { type: "tag", values: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"] } };
const COLOUR_RULES = { runOnly: { type: "rule", values: ["color-contrast"] } };
const OTHER_RULES = { ...RULES, rules: { "color-contrast": { enabled: false } } };
/** Pixels of content beside the window, and the innermost elements that reach there. */
const EXCESS = `(() => {
  const { scrollWidth, clientWidth } = document.documentElement;
  if (scrollWidth <= clientWidth) return "";
  const reaches = (element) => element.closest(".scrolls") === null && element.getBoundingClientRect().right > clientWidth + 0.5;
  const wide = [...document.body.querySelectorAll("*")].filter((element) => reaches(element) && ![...element.children].some(reaches));
  return scrollWidth - clientWidth + " px by " + wide.slice(0, 5).map((element) => element.outerHTML.slice(0, 120)).join(" | ");
})()`;
/** Markup, a script, and a character that reverses the writing direction. */
export const HOSTILE = '<img src=x onerror="alert(1)"><script>alert(2)</script>\u202Egnp.exe';
const PATIENCE_MS = 240_000;
const WIDTHS = [320, 390, 1200] as const;
const LOOKS = [
  { colorScheme: "light", forcedColors: "none" },
  { colorScheme: "dark", forcedColors: "none" },
  { colorScheme: "light", forcedColors: "active" },
] as const;

export const chromium = await findChromium();
if (chromium === null)
  console.warn("studio: no Chromium found (CHROMIUM_PATH, an installed one, @sparticuz/chromium): these tests are skipped");

/** The running Workers and the browser, which all tests of the Studio share. */
export interface Opened {
  door: Awaited<ReturnType<typeof openDoor>>;
  visitor: Visitor;
}

export interface Visit {
  page: Page;
  /** Everything that happened but must never happen, as text. */
  faults: string[];
  close(): Promise<void>;
}

interface VisitOptions extends BrowserContextOptions {
  signedIn?: boolean;
  /** Answers instead of the gateway's, by path: no connection, an answer that never comes, or JSON. */
  answers?: Readonly<Record<string, "none" | "never" | (() => unknown)>>;
}

export class Visitor {
  readonly #browser: Browser;
  readonly #origin: string;

  private constructor(browser: Browser, origin: string) {
    this.#browser = browser;
    this.#origin = origin;
  }

  static async open(url: URL): Promise<Visitor> {
    return new Visitor(await launch(chromium!), url.origin);
  }

  close(): Promise<void> {
    return this.#browser.close();
  }

  /** Opens a page in a new browser context. */
  async visit(path: string, options: VisitOptions = {}): Promise<Visit> {
    const { signedIn = false, answers = {}, ...settings } = options;
    const context: BrowserContext = await this.#browser.newContext({ viewport: { width: 1200, height: 900 }, ...settings });
    // Only a page that hangs reaches this time, because tests wait for states.
    context.setDefaultTimeout(PATIENCE_MS);
    if (signedIn) {
      const { code } = await createCode(OPERATOR_TOKEN, "session", Date.now());
      await context.addCookies([
        { name: `tiffin-${await nameOfSecret(OPERATOR_TOKEN)}`, value: code, url: this.#origin, httpOnly: true, sameSite: "Strict" },
      ]);
    }
    for (const [route, answer] of Object.entries(answers)) {
      await context.route(`${this.#origin}${route}`, async (request) => {
        if (answer === "none") await request.abort();
        else if (answer !== "never") await request.fulfill({ json: await answer() });
      });
    }
    const page = await context.newPage();
    const faults: string[] = [];
    page.on("console", (message) => {
      // If a test provokes a refusal, the browser logs it as a failed resource. This is not a fault.
      if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) faults.push(message.text());
    });
    page.on("pageerror", (error) => faults.push(error.message));
    page.on("request", (request) => {
      if (!request.url().startsWith(this.#origin)) faults.push(`request to ${request.url()}`);
    });
    await page.goto(this.#origin + path);
    // Before its script has run, the page ignores clicks.
    await page.locator("#app[data-live]").waitFor({ state: "attached" });
    return { page, faults, close: () => context.close() };
  }

  /**
   * Checks a page and returns all its faults: those collected so far, violations of WCAG 2.2 AA, and content wider than the
   * window, also with text of twice the size. Colours are checked in light, dark and forced colours; everything else at each
   * width. The page must already be in the state to check.
   */
  async faultsOf({ page, faults }: Visit, widths: readonly number[] = WIDTHS): Promise<string[]> {
    const found = [...faults];
    const check = async (where: string, rules: object) =>
      found.push(...(await violations(page, rules)).map((violation) => `${where}: ${violation}`));
    for (const look of LOOKS) {
      await page.emulateMedia({ ...look, reducedMotion: "reduce" });
      await check(`${look.colorScheme}, forced colours ${look.forcedColors}`, COLOUR_RULES);
    }
    for (const width of widths) {
      await page.setViewportSize({ width, height: 900 });
      await check(`${width} px`, OTHER_RULES);
      for (const size of ["100%", "200%"]) {
        const excess = await page.evaluate<string>(`document.documentElement.style.fontSize = "${size}"; ${EXCESS}`);
        if (excess !== "") found.push(`${width} px, text of ${size}: the page is wider than the window: ${excess}`);
      }
      await page.evaluate('document.documentElement.style.fontSize = ""');
    }
    return found;
  }
}

async function violations(page: Page, rules: object): Promise<string[]> {
  // `evaluate` uses the debugger's protocol, because the page's security policy forbids foreign scripts.
  if (!(await page.evaluate(() => "axe" in globalThis))) await page.evaluate(axe);
  return page.evaluate(async (options) => {
    const { axe: checker } = globalThis as unknown as {
      axe: { run(options: object): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> };
    };
    const { violations: found } = await checker.run(options);
    return found.map(
      ({ id, nodes }) =>
        `${id}: ${nodes
          .slice(0, 3)
          .map(({ html }) => html.slice(0, 160))
          .join(" | ")}`,
    );
  }, rules);
}
