/**
 * One polite, bounded GET: redirects are followed by hand with every hop checked, bytes are counted after decompression,
 * time is capped. The body comes back as text.
 */
import { AGENT } from "./robots.ts";
import { refusalOf } from "./url-guard.ts";

export const MAX_PAGE_BYTES = 5 * 1024 * 1024;
const MAX_HOPS = 5;
const TIMEOUT_MS = 20_000;

export interface Page {
  url: URL;
  status: number;
  headers: Headers;
  text: string;
}

/** `mayFollow` decides about each hop (robots.txt); a refusal throws with its reason. */
export async function fetchPage(start: URL, localOrigin: string, mayFollow: (url: URL) => boolean): Promise<Page> {
  let url = start;
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  for (let hop = 0; hop <= MAX_HOPS; hop++) {
    const refusal = refusalOf(url, localOrigin);
    if (refusal !== null) throw new Error(`refused: ${refusal}`);
    if (!mayFollow(url)) throw new Error("robots");
    const response = await fetch(url, {
      redirect: "manual",
      signal,
      headers: { "user-agent": `${AGENT}/1.0`, accept: "text/html,text/plain,application/xml;q=0.9" },
    });
    const location = response.headers.get("location");
    if (response.status >= 300 && response.status < 400 && location !== null) {
      await response.body?.cancel();
      url = new URL(location, url);
      continue;
    }
    return { url, status: response.status, headers: response.headers, text: await readText(response) };
  }
  throw new Error(`redirects: expected at most ${MAX_HOPS}, got more`);
}

async function readText(response: Response): Promise<string> {
  const charset = /charset="?([\w-]+)/i.exec(response.headers.get("content-type") ?? "")?.[1] ?? "utf-8";
  let decoder: TextDecoder;
  try {
    decoder = new TextDecoder(charset);
  } catch {
    // An unknown label: nearly every page is UTF-8 whatever it says.
    decoder = new TextDecoder();
  }
  let text = "";
  let bytes = 0;
  for await (const part of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    bytes += part.byteLength;
    if (bytes > MAX_PAGE_BYTES) throw new Error(`too-large: expected at most ${MAX_PAGE_BYTES} bytes`);
    text += decoder.decode(part, { stream: true });
  }
  return (text + decoder.decode()).replaceAll("\u0000", "");
}
