/** The last event of a generation that failed. */
import { log, stackOf } from "../../shared/log.ts";

export interface Failure {
  type: "error";
  name: string;
  message: string;
}

/** What the client did wrong is told to the client; everything else goes to the log. */
export function failureOf(error: Error, id: string): Failure {
  if (error.name === "InvalidInput") return { type: "error", name: error.name, message: error.message };
  log("error", `generation: ${error.message}`, { request: id, ...stackOf(error) });
  return { type: "error", name: "Internal", message: "the generation failed" };
}
