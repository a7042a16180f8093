/**
 * Replaces personal data and secrets in a text: e-mail addresses, telephone numbers, public IP addresses, keys and tokens. The
 * replacements are addresses and numbers that are reserved for documentation, so the text stays natural (FineWeb does the same for
 * the first and the third). Patterns are bounded, so time is linear.
 */
import ipaddr from "ipaddr.js";

export type Masked = "email" | "phone" | "ip" | "key";

/** RFC 2606, section 3. */
const EMAIL = "email@example.com";
/** RFC 5737 and RFC 3849. */
const [IPV4, IPV6] = ["192.0.2.1", "2001:db8::1"];
/** Numbers from 555-0100 to 555-0199 are for fiction (NANPA). */
const PHONE = "+1 202 555 0100";
const KEY = "<key>";

const RULES: readonly { what: Masked; pattern: RegExp; replace: (found: string) => string }[] = [
  {
    what: "key",
    // A private key in PEM (RFC 7468); tokens with the prefixes of AWS, GitHub, GitLab, Slack, Stripe, Google, npm, OpenAI; JWTs (RFC 7519).
    pattern:
      /-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[\s\S]{0,10000}?-----END [A-Z ]{0,30}PRIVATE KEY-----|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\b(?:gh[pousr]_[A-Za-z0-9]{36,80}|github_pat_\w{60,100}|glpat-[\w-]{20,40}|xox[abposr]-[\w-]{10,100}|[sr]k_live_[A-Za-z0-9]{20,60}|AIza[\w-]{35}|npm_[A-Za-z0-9]{36}|sk-(?:proj-|ant-)?[A-Za-z0-9_-]{32,150})\b|\beyJ[\w-]{10,2000}\.eyJ[\w-]{10,4000}\.[\w-]{10,1000}/g,
    replace: () => KEY,
  },
  {
    what: "email",
    // `git@host:` is no person's address.
    pattern: /(?<![\w.%+-])(?!git@)[\w.%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,5}[A-Za-z]{2,24}(?![\w-])/g,
    replace: (found) => (/@(?:[\w-]+\.)*example\.(?:com|org|net)$/i.test(found) ? found : EMAIL),
  },
  {
    what: "ip",
    pattern: /(?<![\w.:-])(?:\d{1,3}\.){3}\d{1,3}(?![\w.-]*\d)|(?<![\w:.])(?:[0-9A-Fa-f]{1,4}:){3,7}(?::?[0-9A-Fa-f]{1,4}){1,4}(?![\w:.])/g,
    replace: maskAddress,
  },
  {
    what: "phone",
    // International numbers, and national numbers in the common groups of North America. Other digits are too often something else.
    pattern:
      /(?<![\w+/.-])(?:\+\d{1,3}[ .-]?(?:\(\d{1,4}\)[ .-]?)?\d{1,4}(?:[ .-]?\d{2,4}){2,4}|\(\d{3}\) ?\d{3}-\d{4}|\d{3}-\d{3}-\d{4})(?![\w-])/g,
    replace: () => PHONE,
  },
];

/** A public address is masked. Others, such as 127.0.0.1, name nobody. */
function maskAddress(found: string): string {
  if (!ipaddr.isValid(found)) return found;
  const address = ipaddr.parse(found);
  if (address.range() !== "unicast") return found;
  return address.kind() === "ipv4" ? IPV4 : IPV6;
}

export function mask(text: string): { text: string; counts: Partial<Record<Masked, number>> } {
  const counts: Partial<Record<Masked, number>> = {};
  let masked = text;
  for (const { what, pattern, replace } of RULES)
    masked = masked.replace(pattern, (found) => {
      const put = replace(found);
      if (put !== found) counts[what] = (counts[what] ?? 0) + 1;
      return put;
    });
  return { text: masked, counts };
}
