/** Turns a missing object into an answer for the caller, when the caller supplied the hash. */
import { namedError } from "../../shared/errors.ts";

/** Awaits the read of an object that the caller named. "MissingObject" becomes "NotFound": the caller made the mistake, not this Worker. */
export async function missingAsNotFound<T>(read: Promise<T>): Promise<T> {
  try {
    return await read;
  } catch (error) {
    if (error instanceof Error && error.name === "MissingObject") throw namedError("NotFound", error.message);
    throw error;
  }
}
