/**
 * The reasons why a page is not kept, as one tagged union. crawl-page.ts, the adapters and the catalog all use this type. Only
 * `reasonOf` makes the name that a crawl shows under `skipped`.
 */
import type { QualityRule } from "./quality/filters.ts";

/** Why a request got no answer, or was not sent. */
export type FetchFailure =
  /** robots.txt forbids the page or a redirect of it, or cannot be read. */
  | "robots"
  /** A redirect leads to another host. */
  | "left-host"
  /** The URL is private, or is not a web address. */
  | "refused"
  /** Too many redirects, or a redirect without a usable address. */
  | "redirects"
  /** The host asked for a longer pause than a request can wait. */
  | "closed"
  | "timeout"
  | "network";

/**
 * How an owner reserves a page against training: X-Robots-Tag or a meta tag (noindex), Content-Signal (ai-train=no),
 * Content-Usage (train-ai=n).
 */
export type Reservation = "noindex" | "ai-train=no" | "train-ai=n";

export type Refusal =
  | { kind: "failure"; cause: FetchFailure }
  | { kind: "status"; status: number }
  | { kind: "reserved"; by: Reservation }
  /** The text breaks a rule of quality/filters.ts. */
  | { kind: "quality"; rule: QualityRule }
  /** The answer has no text that can be kept. Cause `address`: a redirect led to a URL that is not allowed in a link. */
  | { kind: "unusable"; cause: "too-large" | "too-complex" | "too-short" | "content-type" | "address" | "unreadable" };

/** The name under which a crawl counts a refusal. */
export function reasonOf(refusal: Refusal): string {
  switch (refusal.kind) {
    case "failure":
    case "unusable":
      return refusal.cause;
    case "status":
      return `status-${refusal.status}`;
    case "reserved":
      return refusal.by;
    case "quality":
      return refusal.rule;
    default:
      return refusal satisfies never;
  }
}

/** True if the refusal withdraws the page. Then its text from earlier crawls is dropped. */
export function isWithdrawal(refusal: Refusal): boolean {
  return refusal.kind === "reserved" || (refusal.kind === "status" && (refusal.status === 404 || refusal.status === 410));
}

/** True if a later visit may succeed. A crawl counts such a page as failed instead of fetched. */
export function isFailure(refusal: Refusal): boolean {
  return refusal.kind === "failure" || (refusal.kind === "status" && (refusal.status === 429 || refusal.status >= 500));
}
