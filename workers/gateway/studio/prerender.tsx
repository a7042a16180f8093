/**
 * Renders all pages and their headers. `scripts/build/studio.ts` bundles this file and runs it in Node; it is not part of a
 * Worker or of a page.
 */
import type { ComponentType } from "preact";
import { htmlOf, type Files } from "./document.tsx";
import { ASSET_HEADERS, pageHeaders } from "./policy.ts";
import { Corpus } from "./screens/corpus/screen.tsx";
import { Explain } from "./screens/explain/screen.tsx";
import { Learn } from "./screens/learn/screen.tsx";
import { Local } from "./screens/local/screen.tsx";
import { Missing } from "./screens/missing/screen.tsx";
import { Models } from "./screens/models/screen.tsx";
import { Pipeline } from "./screens/pipeline/screen.tsx";
import { Playground } from "./screens/playground/screen.tsx";
import { TokenizerScreen } from "./screens/tokenizer/screen.tsx";
import { Training } from "./screens/training/screen.tsx";
import { SCREENS, type Screen, type ScreenName } from "./screens.ts";

const CONTENTS: Readonly<Record<ScreenName, ComponentType>> = {
  pipeline: Pipeline,
  playground: Playground,
  tokenizer: TokenizerScreen,
  training: Training,
  models: Models,
  corpus: Corpus,
  explain: Explain,
  learn: Learn,
  local: Local,
  missing: Missing,
};

const fileOf = ({ path }: Screen) => (path.endsWith("/") ? `${path}index.html` : `${path}.html`);

export interface Page {
  screen: Screen;
  file: string;
  html: string;
}

export function pages(filesOf: (name: string) => Files): Page[] {
  return SCREENS.map((screen) => ({ screen, file: fileOf(screen), html: htmlOf(screen, CONTENTS[screen.name], filesOf(screen.name)) }));
}

const block = (path: string, headers: Readonly<Record<string, string>>) =>
  [path, ...Object.entries(headers).map(([name, value]) => `  ${name}: ${value}`)].join("\n");

/**
 * The content of the `_headers` file. Each rule names one page, because the platform would join the values of all matching rules.
 */
export function headersFile(assets: string): string {
  const all: readonly Screen[] = SCREENS;
  return [block(`${assets}*`, ASSET_HEADERS), ...all.map(({ path, needs }) => block(path, pageHeaders(needs)))].join("\n\n");
}
