/**
 * Items of Hacker News: the Firebase API (github.com/HackerNews/API), where each comment is an answer of its own, and Algolia's
 * search API (hn.algolia.com/api), where an item holds its whole thread.
 */
import { z } from "zod";
import type { Post } from "../formats/dialogue.ts";
import type { Social } from "./social-format.ts";

/** Comments of a thread that are fetched one by one. Threads have hundreds; the first ones are the best. */
const MAX_FETCHED = 30;
const MAX_POSTS = 300;

const firebaseSchema = z.object({
  id: z.number(),
  type: z.enum(["story", "comment", "job", "poll", "pollopt"]),
  by: z.string().default(""),
  title: z.string().optional(),
  text: z.string().default(""),
  kids: z.array(z.number()).default([]),
  deleted: z.boolean().optional(),
  dead: z.boolean().optional(),
});
interface AlgoliaItem {
  author: string | null;
  title?: string | null | undefined;
  text: string | null;
  children: AlgoliaItem[];
}
const algoliaSchema: z.ZodType<AlgoliaItem> = z.lazy(() =>
  z.object({ author: z.string().nullable(), title: z.string().nullish(), text: z.string().nullable(), children: z.array(algoliaSchema) }),
);
const hitsSchema = z.object({ hits: z.array(z.object({ objectID: z.string() })) });

export async function hackerNews(json: unknown, url: string, fetchJson: (url: string) => Promise<unknown>): Promise<Social | null> {
  const ids = z.array(z.number()).min(1).safeParse(json);
  if (ids.success) return { threads: [], links: ids.data.map((id) => new URL(`/v0/item/${id}.json`, url).href), reserved: 0 };
  const hits = hitsSchema.safeParse(json);
  if (hits.success)
    return { threads: [], links: hits.data.hits.map(({ objectID }) => new URL(`/api/v1/items/${objectID}`, url).href), reserved: 0 };
  const item = firebaseSchema.safeParse(json);
  if (item.success) {
    const posts = await threadOf(item.data, (id) => fetchJson(new URL(`/v0/item/${id}.json`, url).href));
    return { threads: [{ url, posts, lang: "" }], links: [], reserved: 0 };
  }
  const whole = isShallow(json) ? algoliaSchema.safeParse(json) : undefined;
  return whole?.success ? { threads: [{ url, posts: postsOf(whole.data), lang: "" }], links: [], reserved: 0 } : null;
}

/** A validator that calls itself must not meet a tree without limit. Threads have some 30 levels. */
function isShallow(json: unknown): boolean {
  let level: unknown[] = [json];
  for (let depth = 0; depth < 200 && level.length > 0; depth++)
    level = level.flatMap((item) => {
      const children = (item as { children?: unknown } | null)?.children;
      return Array.isArray(children) ? (children as unknown[]) : [];
    });
  return level.length === 0;
}

const written = (title: string | null | undefined, text: string | null) => [title, text].filter((part) => part).join("<p>");

/** A story and its comments, each below the one that it answers. Deleted comments are left out with their answers. */
async function threadOf(story: z.output<typeof firebaseSchema>, fetchItem: (id: number) => Promise<unknown>): Promise<Post[]> {
  const posts: Post[] = [{ author: story.by, text: written(story.title, story.text) }];
  const waiting = story.kids.toReversed();
  for (let fetched = 0; fetched < MAX_FETCHED && waiting.length > 0; fetched++) {
    const comment = firebaseSchema.safeParse(await fetchItem(waiting.pop()!)).data;
    if (comment === undefined || comment.deleted || comment.dead) continue;
    posts.push({ author: comment.by, text: comment.text });
    waiting.push(...comment.kids.toReversed());
  }
  return posts;
}

function postsOf(root: AlgoliaItem): Post[] {
  const posts: Post[] = [];
  const stack = [root];
  for (let item = stack.pop(); item !== undefined && posts.length < MAX_POSTS; item = stack.pop()) {
    if (item.author === null) continue;
    posts.push({ author: item.author, text: written(item.title, item.text) });
    stack.push(...item.children.toReversed());
  }
  return posts;
}
