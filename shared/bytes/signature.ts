/**
 * Signatures of texts with the operator's secret: HMAC with SHA-256, as hexadecimal digits. Each use has a name of its own, so that a
 * signature for one use is none for another. The name also keeps the key from being empty, which importKey refuses.
 */
import { hexOf } from "./hex.ts";

export type SignatureUse = "code" | "receipt" | "voter";

const HMAC = { name: "HMAC", hash: "SHA-256" };
const bytesOf = (text: string) => new TextEncoder().encode(text);
const keyOf = (secret: string, use: SignatureUse) =>
  crypto.subtle.importKey("raw", bytesOf(`${use}:${secret}`), HMAC, false, ["sign", "verify"]);

/** The signature: 64 digits. */
export async function sign(secret: string, use: SignatureUse, text: string): Promise<string> {
  return hexOf(new Uint8Array(await crypto.subtle.sign(HMAC, await keyOf(secret, use), bytesOf(text))));
}

/** True if the signature is that of the text. Compares in constant time. */
export async function isSigned(secret: string, use: SignatureUse, text: string, signature: string): Promise<boolean> {
  const bytes = Uint8Array.from(signature.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
  return crypto.subtle.verify(HMAC, await keyOf(secret, use), bytes, bytesOf(text));
}
