/** The state of the whole pipeline, read again and again while the page is visible. */
import { signal } from "@preact/signals";
import type { Overview } from "../../../../shared/contracts/overview.ts";
import { call } from "./api.ts";
import { poll } from "./polling.ts";

const EVERY_MS = 2000;

export const overview = signal<Overview | null>(null);
/** The overview before the newest one, to compute rates. */
export const previous = signal<Overview | null>(null);
export const overviewProblem = signal<Error | null>(null);

export function watchOverview(): void {
  const polled = poll(() => call<Overview>("GET", "/overview"), EVERY_MS);
  polled.value.subscribe((next) => {
    if (next === null) return;
    previous.value = overview.peek();
    overview.value = next;
  });
  polled.error.subscribe((error) => {
    overviewProblem.value = error;
  });
}
