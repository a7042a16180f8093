/** Signing in from a browser: the gateway turns the token, or the code of a link, into a cookie. */
import { z } from "zod";

export const signInSchema = z.union([
  z.strictObject({ token: z.string().min(1).max(512) }),
  /** The code of a link that `npm start` prints. */
  z.strictObject({ code: z.string().min(1).max(128) }),
]);
export type SignIn = z.output<typeof signInSchema>;

export const sessionSchema = z.object({
  operator: z.boolean(),
  /** True for the operator, and for everyone if the setting PUBLIC_TRAINING is "on": the caller may look at runs. */
  training: z.boolean(),
  /** The time when the session ends. Null for callers who are not signed in. */
  expiresAt: z.string().nullable(),
});
export type Session = z.output<typeof sessionSchema>;
