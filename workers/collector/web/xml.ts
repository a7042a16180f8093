/** Decodes CDATA sections and escapes in XML text. Entities that a file declares are never expanded. */

const ENTITIES: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };
const SECTION_OR_ESCAPE = /<!\[CDATA\[([\s\S]*?)\]\]>|&(?:#x([0-9a-f]{1,6})|#(\d{1,7})|(amp|lt|gt|quot|apos));/gi;
const MAX_CODE_POINT = 0x10ffff;

/** Converts the raw content of an element to its text. */
export function decodeXml(raw: string): string {
  return raw.replace(SECTION_OR_ESCAPE, (whole: string, cdata?: string, hex?: string, decimal?: string, name?: string) => {
    if (cdata !== undefined) return cdata;
    if (name !== undefined) return ENTITIES[name.toLowerCase()]!;
    const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16);
    return code <= MAX_CODE_POINT ? String.fromCodePoint(code).toWellFormed() : whole;
  });
}
