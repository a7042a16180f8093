/**
 * Receipts: whoever has the receipt of an answer may vote on it. A receipt names the answer, the hashes of its question, its text and its
 * model, and the time until which it counts, signed with the operator's secret. So votes on invented, changed or expired answers are
 * refused without a look into the database, and nothing is stored for it. An empty secret signs nothing and opens nothing.
 */
import { hexOf } from "./bytes/hex.ts";
import { isSigned, sign } from "./bytes/signature.ts";

/** As long as answers without a vote are kept (workers/feedback/retention.ts). */
export const RECEIPT_MS = 7 * 24 * 3_600_000;
/** Characters of the longest receipt: an id of 64, a time of 13, three hashes of 32, a signature of 64, five dots. */
export const MAX_RECEIPT = 256;

const HASH_DIGITS = 32;
const FORM = /^([\w-]{1,64})\.(\d{1,13})\.([0-9a-f]{32})\.([0-9a-f]{32})\.([0-9a-f]{32})\.([0-9a-f]{64})$/;

/** The hash by which a receipt names a text: the first digits of its SHA-256. */
async function receiptHash(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return hexOf(new Uint8Array(digest)).slice(0, HASH_DIGITS);
}

/** What a receipt is for. */
export interface Answered {
  id: string;
  /** The question as the request had it. */
  prompt: string;
  /** The text that the vote is about. */
  output: string;
  /** The hash of the model. */
  model: string;
}

/** The receipt of an answer; null without a secret. */
export async function createReceipt(secret: string, { id, prompt, output, model }: Answered, now: number): Promise<string | null> {
  if (secret === "") return null;
  const body = [id, now + RECEIPT_MS, await receiptHash(prompt), await receiptHash(output), model.slice(0, HASH_DIGITS)].join(".");
  return `${body}.${await sign(secret, "receipt", body)}`;
}

/** The answer's id and the hash of its text, for a valid receipt. Null for a forged, expired or malformed one. */
export async function openReceipt(secret: string, receipt: string, now: number): Promise<{ id: string; output: string } | null> {
  const [, id = "", time = "", , output = "", , signature = ""] = FORM.exec(receipt) ?? [];
  if (secret === "" || signature === "" || Number(time) <= now) return null;
  const body = receipt.slice(0, receipt.lastIndexOf("."));
  return (await isSigned(secret, "receipt", body, signature)) ? { id, output } : null;
}
