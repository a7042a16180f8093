/**
 * Repairs characters. Text is brought to Unicode NFC. Mojibake, which is UTF-8 that somebody read as windows-1252 (`Ã©` for `é`),
 * is read again as UTF-8. Only sequences that hardly occur in real text are repaired: those that begin with `Â`, `Ã`, `â` or `ðŸ`;
 * and runs of three letters of another alphabet (`Ð¿Ñ€Ð¸` for `при`). Control characters go, except tabs and line breaks.
 */

/** The characters that windows-1252 has for the bytes 0x80 to 0x9f (encoding.spec.whatwg.org/#index-windows-1252). */
const C1 = "€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ";
const BYTES = new Map([...C1].map((char, index) => [char, 0x80 + index]));
const CONTINUATION = `[\\u00a0-\\u00bf${C1.replaceAll(/[\\\]^-]/g, String.raw`\$&`)}]`;
const BROKEN = new RegExp(
  `[ÂÃ]${CONTINUATION}|â${CONTINUATION}{2}|ð[Ÿ\\u009f]${CONTINUATION}{2}|(?:[ÐÑÎÏØÙ]${CONTINUATION}){3,}|(?:[ãäåæçèé]${CONTINUATION}{2}){3,}`,
  "g",
);
// oxlint-disable-next-line no-control-regex -- these are the characters to drop
const CONTROLS = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f\ufeff\ufff9-\ufffb]/g;

export function repair(text: string): string {
  const read = text.replace(BROKEN, (broken) => {
    const bytes = Uint8Array.from(broken, (char) => BYTES.get(char) ?? char.charCodeAt(0));
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      // Not UTF-8 after all, so the text means what it says.
      return broken;
    }
  });
  return read.replaceAll(/\r\n?/g, "\n").replace(CONTROLS, "").toWellFormed().normalize("NFC");
}
