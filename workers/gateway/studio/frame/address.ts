/** The state of a screen in its address, so that a view can be sent to somebody. */
import { signal } from "@preact/signals";

const search = signal("");
const isBrowser = typeof location !== "undefined";
if (isBrowser) {
  addEventListener("popstate", () => {
    search.value = location.search;
  });
}

/** Reads the address. A prerendered page has none, so a screen calls this after its first paint. */
export function readAddress(): void {
  search.value = location.search;
}

export const parameter = (name: string): string | null => new URLSearchParams(search.value).get(name);

/** Changes some parameters; null takes one away. `isStep` adds a step for the browser's back button. */
export function setParameters(changes: Readonly<Record<string, string | null>>, isStep = false): void {
  const next = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === "") next.delete(name);
    else next.set(name, value);
  }
  const text = next.toString();
  const address = `${location.pathname}${text === "" ? "" : `?${text}`}`;
  if (isStep) history.pushState(null, "", address);
  else history.replaceState(null, "", address);
  search.value = location.search;
}
