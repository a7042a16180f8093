/** Keeps a screen's state in the page's address, so a link shows somebody else the same view. */
import { signal } from "@preact/signals";

const search = signal("");
const isBrowser = typeof location !== "undefined";
if (isBrowser) {
  addEventListener("popstate", () => {
    search.value = location.search;
  });
}

/** Reads the address. Call this after the first paint: at build time, when the page is rendered, there is no address. */
export function readAddress(): void {
  search.value = location.search;
}

export const parameter = (name: string): string | null => new URLSearchParams(search.value).get(name);

/** A parameter, or the empty text. */
export const textParameter = (name: string): string => parameter(name) ?? "";

/** Changes some parameters; null removes one. With `isStep`, the browser's back button returns to the old parameters. */
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
