/**
 * What a browser may do with a page of this origin. The one source for the `_headers` file of the pages (prerender.tsx) and for
 * pages that the gateway answers itself. Nothing is loaded from elsewhere, no page may be framed, and no text becomes markup.
 */

/** What a page needs beyond its own script, sheet and calls. */
export interface Needs {
  /** The page runs the model in the tab: compiled WebAssembly, in a worker of this origin. */
  model?: true;
}

/** The Trusted Types policy by which such a page starts its worker. */
export const WORKER_TRUSTED_TYPE = "tiffin-worker";

const contentPolicy = ({ model }: Needs) =>
  [
    "default-src 'none'",
    `script-src 'self'${model === undefined ? "" : " 'wasm-unsafe-eval'"}`,
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    ...(model === undefined ? [] : ["worker-src 'self'"]),
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    `trusted-types ${model === undefined ? "'none'" : WORKER_TRUSTED_TYPE}`,
  ].join("; ");

/** The headers of a page. */
export const pageHeaders = (needs: Needs = {}): Readonly<Record<string, string>> => ({
  "content-security-policy": contentPolicy(needs),
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
});

/** The headers of scripts, sheets and pictures, whose names change with their content. */
export const ASSET_HEADERS: Readonly<Record<string, string>> = {
  "cache-control": "public, max-age=31536000, immutable",
  "x-content-type-options": "nosniff",
  "cross-origin-resource-policy": "same-origin",
};
