/** How the owner of a page reserves it against training, by robots directives or headers. */
import type { Reservation } from "../refusal.ts";

/** The reservation in a page's headers or in its robots meta tags (`metaDirectives`); null if there is none. */
export function reservationOf(headers: Headers, metaDirectives = ""): Reservation | null {
  if (/\b(noindex|noai|none)\b/i.test(`${headers.get("x-robots-tag") ?? ""},${metaDirectives}`)) return "noindex";
  if (/ai-train\s*=\s*no\b/i.test(headers.get("content-signal") ?? "")) return "ai-train=no";
  if (/train-ai\s*=\s*n\b/i.test(headers.get("content-usage") ?? "")) return "train-ai=n";
  return null;
}
