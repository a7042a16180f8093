/** Public notes and articles in an ActivityPub outbox (w3.org/TR/activitypub, section 5.1). Replies to others stay out. */
import { z } from "zod";
import type { Social } from "./social-format.ts";

const PUBLIC = new Set(["https://www.w3.org/ns/activitystreams#Public", "as:Public", "Public"]);
const oneOrMany = z.union([z.string(), z.array(z.string())]).transform((value) => (typeof value === "string" ? [value] : value));
const noteSchema = z.object({
  type: z.enum(["Note", "Article", "Page"]),
  id: z.string(),
  url: z.string().nullish().catch(null),
  content: z.string(),
  contentMap: z.record(z.string(), z.string()).nullish(),
  attributedTo: z.string().catch(""),
  inReplyTo: z.unknown().nullish(),
  to: oneOrMany.catch([]),
  cc: oneOrMany.catch([]),
});
const activitySchema = z.object({ type: z.literal("Create"), object: noteSchema });
const collectionSchema = z.object({
  type: z.enum(["OrderedCollection", "OrderedCollectionPage"]),
  orderedItems: z.array(z.unknown()).default([]),
  first: z.union([z.string(), z.object({ id: z.string() }).transform(({ id }) => id)]).optional(),
  next: z.string().optional(),
});

const isPublic = ({ to, cc }: z.output<typeof noteSchema>) => [...to, ...cc].some((address) => PUBLIC.has(address));

export async function activityPub(json: unknown): Promise<Social | null> {
  const collection = collectionSchema.safeParse(json);
  if (!collection.success) return null;
  const { orderedItems, first, next } = collection.data;
  const notes = orderedItems.flatMap((item) => activitySchema.safeParse(item).data?.object ?? []);
  return {
    threads: notes
      .filter((note) => isPublic(note) && !note.inReplyTo)
      .map((note) => ({
        url: note.url ?? note.id,
        posts: [{ author: note.attributedTo, text: note.content }],
        lang: Object.keys(note.contentMap ?? {})[0] ?? "",
      })),
    links: [next ?? first].filter((link) => link !== undefined),
    reserved: 0,
  };
}
