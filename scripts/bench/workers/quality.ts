/** The collector's internal parts that the bench of near-duplicates measures. */
// oxlint-disable-next-line no-restricted-imports -- the bench measures these parts without crawling a million pages
export { createCorpusTables } from "../../../workers/collector/corpus-tables.ts";
// oxlint-disable-next-line no-restricted-imports -- as above
export { shinglesOf, sketchOf } from "../../../workers/collector/quality/minhash.ts";
// oxlint-disable-next-line no-restricted-imports -- as above
export { NearDuplicates } from "../../../workers/collector/quality/near-duplicates.ts";
