/** Makes characters visible that have no width or change the direction of text: they are shown by code point. */

const codePoint = (char: string) => `U+${char.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")}`;

const HIDDEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** For tokens: spaces and line breaks are visible too. */
export function visible(text: string): string {
  return text.replaceAll("\n", "⏎").replaceAll("\t", "⇥").replaceAll(HIDDEN, codePoint).replaceAll(" ", "·");
}

/** Characters that can make one text look like another: controls except tabs and line ends, and marks of the writing direction. */
const DECEIVING = /(?![\t\n\r])[\p{Cc}\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069]/gu;

/** For titles, addresses and texts from outside, which stay readable. */
export function undeceived(text: string): string {
  return text.replaceAll(DECEIVING, codePoint);
}
