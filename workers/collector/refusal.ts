/**
 * Why a page is not kept: one tagged union from the fetch to the counters of a crawl. The shell, the adapters and the
 * catalog agree on it by type; the name in `skipped` of a crawl is made here and nowhere else.
 */

/** Why no answer came, or why none was asked for. */
export type FetchFailure =
  /** robots.txt forbids a hop of the redirect, or cannot be read. */
  | "robots"
  /** A redirect leads to another host. */
  | "left-host"
  /** The URL is private, or not a web address. */
  | "refused"
  /** Too many redirects, or one without a usable address. */
  | "redirects"
  /** The host must be left alone for longer than a request can wait. */
  | "closed"
  | "timeout"
  | "network";

/** How an owner reserves a page against training: by X-Robots-Tag or meta tag, Content-Signal, Content-Usage. */
export type Reservation = "noindex" | "ai-train=no" | "train-ai=n";

export type Refusal =
  | { kind: "failure"; cause: FetchFailure }
  | { kind: "status"; status: number }
  | { kind: "reserved"; by: Reservation }
  /** The answer is no text that can be kept. `address`: a redirect led to a URL that no link may name. */
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
    default:
      return refusal satisfies never;
  }
}

/** Whether a refusal withdraws the page: then its text from earlier crawls is dropped. */
export function isWithdrawal(refusal: Refusal): boolean {
  return refusal.kind === "reserved" || (refusal.kind === "status" && (refusal.status === 404 || refusal.status === 410));
}

/** Whether a later visit may succeed; a crawl counts such a page as failed, not as fetched. */
export function isFailure(refusal: Refusal): boolean {
  return refusal.kind === "failure" || (refusal.kind === "status" && (refusal.status === 429 || refusal.status >= 500));
}
