/** The pipeline at a glance, looked at again and again while the page is seen. */
import { signal } from "@preact/signals";
import type { Overview } from "../../../../shared/contracts/overview.ts";
import { call } from "./api.ts";
import { poll } from "./polling.ts";

const EVERY_MS = 2000;

export const overview = signal<Overview | null>(null);
/** The one before, for rates. */
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
