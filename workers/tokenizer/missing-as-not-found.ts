/** A missing object is the caller's mistake where the caller named it. */
import { namedError } from "../../shared/errors.ts";

/** Reads one of the caller's objects; a missing one is the caller's mistake and becomes "NotFound". */
export async function found<T>(read: Promise<T>): Promise<T> {
  try {
    return await read;
  } catch (error) {
    if (error instanceof Error && error.name === "MissingObject") throw namedError("NotFound", error.message);
    throw error;
  }
}
