/** Makes characters visible that have no width or change the direction of text: they are shown by code point. */
const HIDDEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

export function visible(text: string): string {
  return text
    .replaceAll("\n", "⏎")
    .replaceAll("\t", "⇥")
    .replaceAll(HIDDEN, (char) => `U+${char.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")}`)
    .replaceAll(" ", "·");
}
