/**
 * Errors that keep their meaning across RPC, where `name` survives and the subclass does not: callers switch on `name`,
 * and the gateway turns it into a status.
 */
export type ErrorName = "InvalidInput" | "NotFound" | "MissingObject" | "CorruptObject" | "NoModel" | "Unavailable" | "Busy" | "Conflict";

export function namedError(name: ErrorName, message: string): Error {
  return Object.assign(new Error(message), { name });
}
