/** Keys of clients. While there is no key, everyone may ask; with a key, only clients with keys and the operator. */
import { z } from "zod";

const quota = z.int().min(0).max(1_000_000_000).nullable();

export const keyRequestSchema = z.strictObject({
  name: z.string().min(1).max(64),
  /** Per day (UTC); null: no quota. */
  requestsPerDay: quota.default(null),
  /** Tokens that are read and made for the client. The answer that passes the quota is still given. */
  tokensPerDay: quota.default(null),
});
export type KeyRequest = z.output<typeof keyRequestSchema>;

export const keySchema = z.object({
  id: z.string(),
  name: z.string(),
  requestsPerDay: quota,
  tokensPerDay: quota,
  createdAt: z.string(),
  today: z.object({ requests: z.int(), tokens: z.int() }),
});
export type Key = z.output<typeof keySchema>;

/** The only answer that has the key itself. Tiffin keeps its hash. */
export const createdKeySchema = keySchema.extend({ key: z.string() });
export type CreatedKey = z.output<typeof createdKeySchema>;

/** The result of a request with a key. */
export type KeyUse = { kind: "open" } | { kind: "unknown" } | { kind: "spent"; quota: string } | { kind: "granted"; id: string };
