/** The collector's internal function that benches need. All other scripts reach the collector over HTTP. */
// oxlint-disable-next-line no-restricted-imports -- the default corpus is what this function makes of the pages
export { extract } from "../../../workers/collector/web/extract.ts";
