/** The inside of the collector that benches measure. Everything else reaches it over HTTP. */
// oxlint-disable-next-line no-restricted-imports -- the default corpus is what this function makes of the pages
export { extract } from "../../../workers/collector/web/extract.ts";
