/** Actions on the Studio's screens for tests. They use the keyboard, as a person could. */
import type { Page } from "playwright-core";

/** Moves to a control by its label and types a text into it. */
export async function type(page: Page, label: string, text: string): Promise<void> {
  await page.getByLabel(label, { exact: true }).first().focus();
  await page.keyboard.press("ControlOrMeta+A");
  await page.keyboard.type(text);
}

/** Presses a button as the keyboard does. */
export async function press(page: Page, name: string): Promise<void> {
  await page.getByRole("button", { name, exact: true }).first().focus();
  await page.keyboard.press("Enter");
}
