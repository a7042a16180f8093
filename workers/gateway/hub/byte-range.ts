/** The bytes that a Range header asks for (RFC 9110, 14.2). Several ranges at once are answered by the whole, as the standard allows. */
export type ByteRange = { start: number; end: number } | "whole" | "unsatisfiable";

/** `end` is the byte after the last. */
export function byteRange(header: string | undefined, size: number): ByteRange {
  const [, first = "", last = ""] = /^bytes=(\d*)-(\d*)$/.exec(header?.trim() ?? "") ?? [];
  if (first === "" && last === "") return "whole";
  if (first === "") {
    const length = Math.min(Number(last), size);
    return length === 0 ? "unsatisfiable" : { start: size - length, end: size };
  }
  const start = Number(first);
  const end = last === "" ? size : Math.min(Number(last) + 1, size);
  // A range that ends before it begins is no range.
  if (last !== "" && Number(last) < start) return "whole";
  return start >= size ? "unsatisfiable" : { start, end };
}
