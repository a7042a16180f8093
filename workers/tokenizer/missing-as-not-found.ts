/** Turns the error "MissingObject" into "NotFound" if the hash came from the caller. */
import { namedError } from "../../shared/errors.ts";

/** Awaits the read of an object that the caller named. If the object is missing, the caller made the mistake, not this Worker. */
export async function missingAsNotFound<T>(read: Promise<T>): Promise<T> {
  try {
    return await read;
  } catch (error) {
    if (error instanceof Error && error.name === "MissingObject") throw namedError("NotFound", error.message);
    throw error;
  }
}
