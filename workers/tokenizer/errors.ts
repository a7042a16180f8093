/** Errors that callers tell apart by `name`, which is what survives RPC. */

export function named(name: "NotFound" | "InvalidInput", message: string): Error {
  const error = new Error(message);
  error.name = name;
  return error;
}

/** Reads one of the caller's objects; a missing one is the caller's mistake and becomes "NotFound". */
export async function found<T>(read: Promise<T>): Promise<T> {
  try {
    return await read;
  } catch (error) {
    if (error instanceof Error && error.name === "MissingObject") throw named("NotFound", error.message);
    throw error;
  }
}
