/** Posts of a Mastodon server: a timeline, the posts of an account, or one post. Only public posts of this server's own accounts. */
import { z } from "zod";
import type { Post } from "../formats/dialogue.ts";
import type { Social } from "./social-format.ts";

/** docs.joinmastodon.org/entities/Status */
const statusSchema = z.object({
  id: z.string(),
  url: z.string().nullish(),
  visibility: z.string(),
  content: z.string(),
  spoiler_text: z.string().default(""),
  language: z.string().nullish(),
  in_reply_to_id: z.string().nullish(),
  replies_count: z.number().default(0),
  reblog: z.unknown().nullish(),
  account: z.object({ acct: z.string(), noindex: z.boolean().nullish(), bot: z.boolean().nullish() }),
});
type Status = z.output<typeof statusSchema>;
const contextSchema = z.object({ ancestors: z.array(statusSchema), descendants: z.array(statusSchema) });

const isUsable = (status: Status) => status.visibility === "public" && status.account.noindex !== true && !status.reblog;
const isLocal = ({ account }: Status) => !account.acct.includes("@");
const isThread = (status: Status) => status.replies_count > 0 || typeof status.in_reply_to_id === "string";
const postOf = ({ account, content }: Status): Post => ({ author: account.acct, text: content });

export async function mastodon(json: unknown, url: string, fetchJson: (url: string) => Promise<unknown>): Promise<Social | null> {
  const one = statusSchema.safeParse(json);
  if (one.success) return thread(one.data, url, fetchJson);
  const list = z.array(statusSchema).min(1).safeParse(json);
  if (!list.success) return null;
  const own = list.data.filter((status) => isLocal(status) && status.visibility === "public" && !status.reblog);
  const usable = own.filter(isUsable);
  // The next page of a list holds older posts.
  const older = new URL(url);
  older.searchParams.set("max_id", list.data.at(-1)!.id);
  return {
    threads: usable
      .filter((status) => !isThread(status))
      .map((status) => ({ url: status.url ?? url, posts: [postOf(status)], lang: status.language ?? "" })),
    links: [...usable.filter(isThread).map(({ id }) => new URL(`/api/v1/statuses/${id}`, url).href), older.href],
    reserved: own.length - usable.length,
  };
}

/** The whole thread of a post. Posts of people who do not want to be indexed are left out, and with them the answers below. */
async function thread(status: Status, url: string, fetchJson: (url: string) => Promise<unknown>): Promise<Social> {
  if (!isUsable(status) || !isLocal(status)) return { threads: [], links: [], reserved: 1 };
  const context = contextSchema.safeParse(await fetchJson(`${url}/context`)).data ?? { ancestors: [], descendants: [] };
  const all = [...context.ancestors, status, ...context.descendants];
  const left = new Set<string>();
  let reserved = 0;
  for (const each of all) {
    const isBelow = typeof each.in_reply_to_id !== "string" || left.has(each.in_reply_to_id) || each === all[0];
    if (isUsable(each) && isBelow) left.add(each.id);
    else reserved++;
  }
  const posts = all.filter(({ id }) => left.has(id));
  const [root = status] = posts;
  return { threads: [{ url: root.url ?? url, posts: posts.map(postOf), lang: root.language ?? "" }], links: [], reserved };
}
