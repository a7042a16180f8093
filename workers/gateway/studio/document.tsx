/** Renders a whole page to HTML, as it looks before its script runs. */
import type { ComponentType } from "preact";
import { renderToString } from "preact-render-to-string";
import { Frame } from "./frame/frame.tsx";
import type { Screen } from "./screens.ts";

/** Addresses of a page's files. */
export interface Files {
  script: string;
  /** The code that all screens share. Each page's script imports it, so the page preloads it. */
  common: string;
  sheet: string;
  icon: string;
}

export function htmlOf(screen: Screen, Content: ComponentType, { script, common, sheet, icon }: Files): string {
  const page = (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>{`${screen.title} – Tiffin`}</title>
        <meta name="description" content={screen.description} />
        <meta name="color-scheme" content="light dark" />
        <link rel="icon" href={icon} type="image/svg+xml" />
        <link rel="stylesheet" href={sheet} />
        <link rel="modulepreload" href={common} />
        <script type="module" src={script} />
      </head>
      <body>
        <div id="app">
          <Frame screen={screen}>
            <Content />
          </Frame>
        </div>
      </body>
    </html>
  );
  return `<!doctype html>${renderToString(page)}`;
}
