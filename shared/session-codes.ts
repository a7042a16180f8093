/**
 * Codes that prove knowledge of the operator's secret for a limited time: the cookie of a signed-in browser, and the link that
 * `npm start` prints. A code is its expiry time, plus a signature of purpose and time with the secret. So nothing is stored, and
 * a new secret makes every code invalid. An empty secret signs nothing and verifies nothing.
 */
import { isSigned, sign } from "./bytes/signature.ts";

export type CodePurpose = "link" | "session";

/** How long a code is valid. */
export const CODE_MS: Readonly<Record<CodePurpose, number>> = { link: 10 * 60_000, session: 12 * 3_600_000 };

/** A code and the time (milliseconds) from which it is invalid. */
export async function createCode(secret: string, purpose: CodePurpose, now: number): Promise<{ code: string; expiresAt: number }> {
  if (secret === "") throw new Error("createCode: expected the operator's secret, got an empty one");
  const expiresAt = now + CODE_MS[purpose];
  return { code: `${expiresAt}.${await sign(secret, "code", `${purpose} ${expiresAt}`)}`, expiresAt };
}

/**
 * The time when a valid code expires. Null for a forged, expired or malformed code, and for a code with another purpose or
 * secret.
 */
export async function expiryOf(secret: string, purpose: CodePurpose, code: string, now: number): Promise<number | null> {
  const [, time = "", signature = ""] = /^(\d{1,16})\.([0-9a-f]{64})$/.exec(code) ?? [];
  const expiresAt = Number(time);
  if (secret === "" || signature === "" || expiresAt <= now) return null;
  return (await isSigned(secret, "code", `${purpose} ${time}`, signature)) ? expiresAt : null;
}

/**
 * A name that differs between secrets without revealing them. Several Tiffins may share a host, and browsers send a host's
 * cookies to all its ports, so each Tiffin's cookie needs its own name.
 */
export const nameOfSecret = async (secret: string): Promise<string> => (await sign(secret, "code", "name")).slice(0, 8);
