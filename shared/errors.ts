/**
 * Named errors. RPC keeps the `name` of an error but loses its subclass. Callers therefore switch on `name`, and the gateway
 * maps it to a status.
 */
export type ErrorName =
  | "InvalidInput"
  | "NotFound"
  | "MissingObject"
  | "CorruptObject"
  | "NoModel"
  | "Unavailable"
  | "Busy"
  | "OverBudget"
  | "Conflict";

export function namedError(name: ErrorName, message: string): Error {
  return Object.assign(new Error(message), { name });
}
