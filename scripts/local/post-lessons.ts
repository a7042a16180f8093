/** Posts lessons as JSON Lines. */
import { addedLessonsSchema } from "../../shared/contracts/lessons.ts";
import type { Client } from "./client.ts";

/** Returns the id of the set. */
export async function postLessons(client: Client, lessons: readonly object[]): Promise<string> {
  const lines = lessons.map((lesson) => JSON.stringify(lesson)).join("\n");
  return (await client.call("POST", "/lessons", addedLessonsSchema, lines)).id;
}
