/** The corpus of `npm start`: the documentation of the installed packages, as the collector extracts it. */
import type { AddressInfo } from "node:net";
import { serveDocs } from "../../local/docs-site.ts";
import { extract } from "../workers/collector.ts";

/** The texts that `npm start` crawls. */
export async function defaultCorpus(): Promise<string[]> {
  const server = await serveDocs(0);
  try {
    const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const index = await (await fetch(`${origin}/`)).text();
    const texts: string[] = [];
    for (const [, path] of index.matchAll(/href="(\/package\/[^"]+)"/g)) {
      const url = new URL(path!, origin);
      const response = await fetch(url);
      const { text, refusal } = extract(await response.text(), url, new Headers());
      if (refusal === null && text !== "") texts.push(text.toWellFormed());
    }
    return texts;
  } finally {
    server.close();
  }
}
