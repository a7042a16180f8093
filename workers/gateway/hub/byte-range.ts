/**
 * The bytes that a Range header asks for (RFC 9110, 14.2). A request for several ranges gets the whole file, as the standard
 * allows.
 */
export type ByteRange = { start: number; end: number } | "whole" | "unsatisfiable";

/** `end` is the position after the last byte. */
export function byteRange(header: string | undefined, size: number): ByteRange {
  const [, first = "", last = ""] = /^bytes=(\d*)-(\d*)$/.exec(header?.trim() ?? "") ?? [];
  if (first === "" && last === "") return "whole";
  if (first === "") {
    const length = Math.min(Number(last), size);
    return length === 0 ? "unsatisfiable" : { start: size - length, end: size };
  }
  const start = Number(first);
  const end = last === "" ? size : Math.min(Number(last) + 1, size);
  // A range that ends before its start is invalid and is ignored.
  if (last !== "" && Number(last) < start) return "whole";
  return start >= size ? "unsatisfiable" : { start, end };
}
