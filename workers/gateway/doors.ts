/** The doors of the gateway. A request goes to the first door whose prefix matches, so `/` is last. */
import { alignmentsDoor } from "./alignments/door.ts";
import type { Door } from "./door.ts";
import { feedbackDoor } from "./feedback/door.ts";
import { hubDoor } from "./hub/door.ts";
import { importsDoor } from "./imports/door.ts";
import { keysDoor } from "./keys/door.ts";
import { lessonsDoor } from "./lessons/door.ts";
import { nativeDoor } from "./native/door.ts";
import { ollamaDoor } from "./ollama/door.ts";
import { openaiDoor } from "./openai/door.ts";
import { sessionDoor } from "./session/door.ts";
import { traceDoor } from "./trace/door.ts";
import { uploadsDoor } from "./uploads/door.ts";

export const DOORS: readonly Door[] = [
  alignmentsDoor,
  feedbackDoor,
  hubDoor,
  importsDoor,
  openaiDoor,
  ollamaDoor,
  uploadsDoor,
  lessonsDoor,
  sessionDoor,
  traceDoor,
  keysDoor,
  nativeDoor,
];

export function doorOf(path: string): Door {
  return DOORS.find(({ prefix }) => path.startsWith(prefix)) ?? nativeDoor;
}
