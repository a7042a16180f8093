/**
 * robots.txt by RFC 9309: groups, the longest match wins, allow wins a tie. Also reads Crawl-delay, Sitemap and training
 * reservations.
 */

export const AGENT = "TiffinBot";
/** Only this much of a file is read: the minimum that RFC 9309, section 2.5, requires. */
export const MAX_ROBOTS_BYTES = 500 * 1024;
/** Longer lines are cut, as in the reference parser. */
const MAX_LINE_LENGTH = 16_663;

/** Characters that a URL may not contain (RFC 3986, section 2). A rule may have them bare; a URL has them percent-encoded. */
const NOT_IN_URL = /(?:[^\x21-\x7e]|["<>\\^`{|}])+/gu;
/**
 * Characters that would be read as special but are meant literally, so they are encoded. In a path: every `*` and `$`. In a
 * pattern: every `$` before the end.
 */
const LITERAL_IN_PATH = /[*$]/g;
const LITERAL_IN_PATTERN = /\$(?!$)/g;
const UNRESERVED = /[A-Za-z0-9\-._~]/;
const BARE_IN_QUERY = /[A-Za-z0-9\-._~:/?@!'(),;[\]]/;

interface Rule {
  allow: boolean;
  pattern: string;
}

export interface Robots {
  rules: Rule[];
  crawlDelaySeconds: number | null;
  sitemaps: string[];
  /** True if the site reserves its pages against training (Content-Signal: ai-train=no, Content-Usage: train-ai=n). */
  reserved: boolean;
}

/** The rules for `agent`: all groups that name the agent, or if there are none, all groups of `*`. */
export function parseRobots(text: string, agent: string = AGENT): Robots {
  const wanted = agent.toLowerCase();
  const groups: { agents: string[]; rules: Rule[]; delay: number | null }[] = [];
  const sitemaps: string[] = [];
  let naming = false;
  let reserved = false;
  for (const line of text.replace(/^\uFEFF/, "").split(/\r\n|\r|\n/)) {
    // A single pattern for the whole line would backtrack in cubic time: 3 s for a hostile line of 1,000 blanks.
    const content = line.slice(0, MAX_LINE_LENGTH).split("#", 1)[0]!.trimStart();
    const name = /^[A-Za-z-]+(?=[\s:])/.exec(content)?.[0];
    if (name === undefined) continue;
    const key = name.toLowerCase();
    const value = content
      .slice(name.length)
      .replace(/^\s*:?/, "")
      .trim();
    if (key === "sitemap") sitemaps.push(value);
    else if (key === "content-signal" || key === "content-usage") reserved ||= /\b(ai-train\s*=\s*no|train-ai\s*=\s*n)\b/i.test(value);
    else if (key === "user-agent") {
      if (!naming) groups.push({ agents: [], rules: [], delay: null });
      naming = true;
      groups.at(-1)!.agents.push(value === "*" ? "*" : (/^[A-Za-z_-]+/.exec(value)?.[0].toLowerCase() ?? ""));
    } else if (key === "allow" || key === "disallow" || key === "crawl-delay") {
      naming = false;
      const group = groups.at(-1);
      if (group === undefined) continue;
      if (key === "crawl-delay") group.delay = Number.isFinite(Number(value)) && value !== "" ? Number(value) : null;
      else if (value !== "") group.rules.push(...rulesOf(key === "allow", normalize(value, LITERAL_IN_PATTERN)));
    }
  }
  const named = groups.filter((group) => group.agents.includes(wanted));
  const chosen = named.length > 0 ? named : groups.filter((group) => group.agents.includes("*"));
  return {
    rules: chosen.flatMap((group) => group.rules),
    crawlDelaySeconds: chosen.find((group) => group.delay !== null)?.delay ?? null,
    sitemaps,
    reserved,
  };
}

/** A rule that allows an index page also allows its folder. */
function rulesOf(allow: boolean, pattern: string): Rule[] {
  const folder = /^(.*\/)index\.html?$/.exec(pattern)?.[1];
  return allow && folder !== undefined
    ? [
        { allow, pattern },
        { allow, pattern: `${folder}$` },
      ]
    : [{ allow, pattern }];
}

/**
 * Makes percent-encoding equal in rules and paths (RFC 9309, section 2.2.2): unreserved octets are bare, octets not allowed in
 * a URL are encoded, escapes are upper case. In a query, reserved octets that separate nothing there are bare too. Literal
 * octets that would be special in a pattern are encoded (section 2.2.3).
 */
function normalize(path: string, literal: RegExp): string {
  const encoded = path.replace(NOT_IN_URL, (part) => encodeURIComponent(part.toWellFormed()));
  const escaped = encoded.replace(literal, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
  const query = escaped.indexOf("?");
  return escaped.replace(/%[0-9a-fA-F]{2}/g, (escape, at: number) => {
    const char = String.fromCharCode(Number.parseInt(escape.slice(1), 16));
    return (query >= 0 && at > query ? BARE_IN_QUERY : UNRESERVED).test(char) ? char : escape.toUpperCase();
  });
}

/**
 * Matches a path: `*` stands for any text, a final `$` for the end. The parts are searched from left to right without
 * backtracking, so hostile patterns cost little time.
 */
function matches(pattern: string, path: string): boolean {
  const anchored = pattern.endsWith("$");
  const parts = (anchored ? pattern.slice(0, -1) : pattern).split("*");
  if (!path.startsWith(parts[0]!)) return false;
  let position = parts[0]!.length;
  for (const part of parts.slice(1, anchored && parts.length > 1 ? -1 : undefined)) {
    const found = path.indexOf(part, position);
    if (found < 0) return false;
    position = found + part.length;
  }
  if (!anchored) return true;
  if (parts.length === 1) return position === path.length;
  const last = parts.at(-1)!;
  return path.length - last.length >= position && path.endsWith(last);
}

export function isAllowed(robots: Robots, url: URL): boolean {
  const path = normalize(`${url.pathname}${url.search}`, LITERAL_IN_PATH);
  if (path === "/robots.txt") return true;
  let best: Rule | null = null;
  for (const rule of robots.rules) {
    if (!matches(rule.pattern, path)) continue;
    if (best === null || rule.pattern.length > best.pattern.length || (rule.pattern.length === best.pattern.length && rule.allow))
      best = rule;
  }
  return best?.allow ?? true;
}
