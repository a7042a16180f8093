/** The licence of a model's weights, from the recorded licences of its data. Unknown unless all data have one and the same licence. */
import type { OriginSource } from "../artifacts.ts";
import { UNKNOWN_LICENCE } from "./provenance.ts";

const CREATIVE_COMMONS = /^https?:\/\/creativecommons\.org\/licenses\/([a-z-]+)\/(\d\.\d)\b/;
const PUBLIC_DOMAIN = /^https?:\/\/creativecommons\.org\/publicdomain\/zero\/1\.0\b/;

/** Pages and feeds state a licence by its address. Returns the SPDX identifier of a known address, other statements unchanged. */
export function spdxOf(statement: string): string {
  const [, terms, version] = CREATIVE_COMMONS.exec(statement) ?? [];
  if (terms !== undefined && version !== undefined) return `CC-${terms.toUpperCase()}-${version}`;
  return PUBLIC_DOMAIN.test(statement) ? "CC0-1.0" : statement;
}

export function licenceOfWeights(sources: readonly OriginSource[] | null): string {
  const licences = new Set(sources?.map(({ licence }) => spdxOf(licence)));
  const [only = ""] = licences;
  return licences.size === 1 && only !== "" ? only : UNKNOWN_LICENCE;
}

/** The languages of the data, those with the most text first. */
export function languagesOf(sources: readonly OriginSource[] | null): string[] {
  const bytes = new Map<string, number>();
  for (const { lang, bytes: size } of sources ?? []) {
    const primary = lang.toLowerCase().split(/[-_]/, 1)[0]!;
    if (/^[a-z]{2,3}$/.test(primary)) bytes.set(primary, (bytes.get(primary) ?? 0) + size);
  }
  return [...bytes].toSorted((a, b) => b[1] - a[1]).map(([lang]) => lang);
}
