/**
 * The security headers of this origin's pages: pages load files from this origin only, cannot be framed, and never turn text into
 * markup. Both the `_headers` file (prerender.tsx) and the pages that the gateway serves itself use these headers.
 */

/** Permissions that a page needs beyond its own script, style sheet and calls of the gateway. */
export interface Needs {
  /** The page runs the model in the tab: it compiles WebAssembly and starts a worker from this origin. */
  model?: true;
}

/** The name of the Trusted Types policy with which such a page starts its worker. */
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

/**
 * The headers of scripts, style sheets and pictures. Their file names change with their content, so browsers may cache them
 * forever.
 */
export const ASSET_HEADERS: Readonly<Record<string, string>> = {
  "cache-control": "public, max-age=31536000, immutable",
  "x-content-type-options": "nosniff",
  "cross-origin-resource-policy": "same-origin",
};
