/**
 * Sends requests to one origin politely: at the gate's turn, by the origin's robots.txt, and not while the origin asks for a
 * pause. The Host object owns one instance. The frontier decides which page is next.
 */
import { log } from "../../../shared/log.ts";
import type { Clock } from "./clock.ts";
import type { StreamRequest } from "./body-stream.ts";
import { ask, failure, fetchPage, type Answer, type Failure } from "./fetch-page.ts";
import { Gate } from "./gate.ts";
import { retryAfterMs } from "./retry-after.ts";
import { RobotsFile } from "./robots-file.ts";
import { isAllowed, parseRobots, type Robots } from "./robots.ts";
import { refusalOf } from "../../../shared/url-guard.ts";

/** Wait before an unreadable robots.txt is requested again. */
const ROBOTS_RETRY_MS = 60_000;
const DEFAULT_DELAY_SECONDS = 1;
/** A host with a longer crawl delay is not crawled. */
export const MAX_DELAY_SECONDS = 30;
const MAX_GATE_SECONDS = 24 * 3600;
/** If a host asks for a longer pause, its crawls end. The next crawl asks again. */
const MAX_PATIENCE_MS = 3600 * 1000;

export class Manners {
  readonly #gate: Gate;
  readonly #robotsFile: RobotsFile;
  readonly #clock: Clock;
  readonly #localOrigin: string;

  constructor({ kv, sql }: DurableObjectStorage, localOrigin: string, clock: Clock) {
    this.#gate = new Gate(kv, clock);
    this.#robotsFile = new RobotsFile(sql, clock);
    this.#clock = clock;
    this.#localOrigin = localOrigin;
  }

  /** Milliseconds until the next request may go out. */
  get waitMs(): number {
    return this.#gate.waitMs();
  }

  /** True if the next turn is too far off to wait for it in memory. */
  get isFarOff(): boolean {
    return this.#gate.isFarOff();
  }

  /**
   * The reason to end the host's crawls now: the host asks for too long a pause, or its robots.txt has been unreadable for too
   * long.
   */
  get impatience(): "retry-after" | "robots" | null {
    if (this.#gate.waitMs() > MAX_PATIENCE_MS) return "retry-after";
    return this.#clock.now() - (this.#robotsFile.failingSince ?? Infinity) > MAX_PATIENCE_MS ? "robots" : null;
  }

  /** Makes one request at its turn. After a 429 or 503 the gate stays closed for as long as the host asks. */
  async request(
    url: URL,
    conditions: Readonly<Record<string, string>> = {},
    stream: Omit<StreamRequest, "onEnd"> | null = null,
  ): Promise<Answer | Failure> {
    const { promise: ended, resolve: onEnd } = Promise.withResolvers<void>();
    const options = { conditions, stream: stream === null ? null : { ...stream, onEnd } };
    const answer = await this.#gate.pass(
      async () => {
        const sent = await ask(url, this.#localOrigin, options, this.#clock);
        if (sent.kind === "answer" && (sent.status === 429 || sent.status === 503))
          this.#gate.hold(retryAfterMs(sent.headers.get("retry-after"), this.#clock.now()));
        return sent;
      },
      (sent) => (sent.kind === "answer" && sent.body !== null ? ended : null),
    );
    return answer ?? failure("closed", `the host wants no request for ${this.#gate.waitMs()} ms`);
  }

  /**
   * The rules of robots.txt, at most a day old; `request` fetches them. A 4xx other than 429 allows everything. Null if
   * robots.txt cannot be read (429, 5xx, no answer). Then no other page may be requested (RFC 9309, section 2.3.1.4), so the
   * gate is held.
   */
  async robots(origin: string, request: (url: URL) => Promise<Answer | Failure>): Promise<Robots | null> {
    const file = this.#robotsFile;
    const known = file.rules;
    if (known !== null) return known;
    if (file.failingSince !== null && this.isFarOff) return null;
    const page = await fetchPage(new URL("/robots.txt", origin), request, () => null);
    if (page.kind === "failure" || page.status === 429 || page.status >= 500 || (page.status !== 200 && page.status < 400)) {
      const got = page.kind === "failure" ? `${page.cause}: ${page.detail}` : page.status;
      log("warn", `${origin}: robots.txt: expected 200 or a 4xx other than 429, got ${got}; asked again in a minute`);
      file.noteFailure();
      this.#gate.hold(ROBOTS_RETRY_MS);
      return null;
    }
    const rules = file.keep(page.status === 200 ? page.bytes : new Uint8Array());
    const least = this.#isLocal(origin) ? 0 : DEFAULT_DELAY_SECONDS;
    // The delay is at most a day, because robots.txt must be refreshed once a day.
    this.#gate.delayMs = Math.min(Math.max(rules.crawlDelaySeconds ?? least, least), MAX_GATE_SECONDS) * 1000;
    // The new delay already applies to the next request.
    this.#gate.hold(this.#gate.delayMs);
    return rules;
  }

  #isLocal(origin: string): boolean {
    return this.#localOrigin !== "" && origin === new URL(this.#localOrigin).origin;
  }

  /**
   * True if a link may join the frontier, by the last rules that were read. These rules may be old; fresh rules are read
   * before the link is fetched.
   */
  mayVisit(url: URL): boolean {
    return refusalOf(url, this.#localOrigin) === null && isAllowed(this.#robotsFile.lastRules ?? NO_RULES, url);
  }
}

const NO_RULES = parseRobots("");
