/**
 * The largest messages between Workers, for workers/README.md. The local traces do not show sizes of messages, so these follow
 * from the limits that senders enforce. Larger data travel as streams or through R2.
 */
import { MAX_UPLOAD_BYTES } from "../../../shared/contracts/uploads.ts";
import { MAX_LESSON_BYTES } from "../../../shared/lessons/lesson-set.ts";
import { MAX_QUEUE_MESSAGE_BYTES, MAX_RPC_BYTES } from "../../../shared/limits.ts";
import { MAX_URL_LENGTH } from "../../../workers/collector/web/address.ts";
import { MAX_PAGE_BYTES } from "../../../workers/collector/web/fetch-page.ts";
import type { PageMessage } from "../../../workers/collector/web/host.ts";
import { MAX_PART_MESSAGE_BYTES } from "../../../workers/trainer/object-source.ts";

const bytesOf = (message: object) => JSON.stringify(message).length;
const long = (length: number) => "x".repeat(length);
const page: PageMessage = { origin: long(MAX_URL_LENGTH), crawl: crypto.randomUUID(), url: long(MAX_URL_LENGTH) };
/** A run's name has at most 64 characters (shared/contracts/runs.ts). */
const hint = { run: long(64) };

export interface LargestMessage {
  what: string;
  bytes: number;
  limit: number;
}

export const LARGEST_MESSAGES: readonly LargestMessage[] = [
  { what: "a page on the queue `crawl`", bytes: bytesOf(page), limit: MAX_QUEUE_MESSAGE_BYTES },
  { what: "a hint on the queue `steps`", bytes: bytesOf(hint), limit: MAX_QUEUE_MESSAGE_BYTES },
  { what: "a fetched page", bytes: MAX_PAGE_BYTES, limit: MAX_RPC_BYTES },
  { what: "an uploaded file", bytes: MAX_UPLOAD_BYTES, limit: MAX_RPC_BYTES },
  { what: "a lesson set", bytes: MAX_LESSON_BYTES, limit: MAX_RPC_BYTES },
  { what: "a part of an update from a further local trainer", bytes: MAX_PART_MESSAGE_BYTES, limit: MAX_RPC_BYTES },
];

export function messageTable(): string[] {
  return LARGEST_MESSAGES.map(
    ({ what, bytes, limit }) => `| ${what} | ${bytes.toLocaleString("en")} | ${Math.round((100 * bytes) / limit)} % |`,
  );
}
