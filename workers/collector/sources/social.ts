/**
 * The social adapter: public posts of Mastodon (docs.joinmastodon.org/methods) and of ActivityPub outboxes, and items of Hacker News
 * (its Firebase API, and Algolia's search API). A thread becomes one dialogue. Names are replaced: speakers are numbered in the order
 * of their first post, and mentions of others say so.
 */
import { dialogueOf } from "../formats/dialogue.ts";
import { decodeText } from "../web/decode.ts";
import { extractFragment, MIN_TEXT_LENGTH } from "../web/extract.ts";
import { reservationOf } from "../web/reservation.ts";
import { hackerNews } from "./social-hacker-news.ts";
import { mastodon } from "./social-mastodon.ts";
import { activityPub } from "./social-activity-pub.ts";
import type { Social, SocialFormat } from "./social-format.ts";
import { refusalToRead, type Fetch, type Finding, type Resource, type SourceAdapter } from "./source.ts";

const FORMATS: readonly SocialFormat[] = [mastodon, activityPub, hackerNews];

export const social: SourceAdapter = { usesSitemaps: false, followsWholeHost: true, streams: false, quality: "basic", read };

async function* read(resource: Resource, fetchMore: Fetch): AsyncGenerator<Finding> {
  const refusal = refusalToRead(resource);
  if (refusal !== null) return yield { kind: "refusal", refusal };
  const json = jsonOf(resource);
  const fetchJson = async (url: string) => {
    const more = await fetchMore(url);
    return more === null || more.status !== 200 || more.truncated || reservationOf(more.headers) !== null ? undefined : jsonOf(more);
  };
  const found = json === undefined ? null : await firstOf(json, resource.url, fetchJson);
  if (found === null) return yield { kind: "refusal", refusal: { kind: "unusable", cause: "content-type" } };
  for (let post = 0; post < found.reserved; post++) yield { kind: "refusal", refusal: { kind: "reserved", by: "noindex" } };
  for (const { url, posts, lang } of found.threads) {
    const readable = posts.flatMap((post) => {
      const text = extractFragment(post.text);
      return text === null || text.trim() === "" ? [] : [{ ...post, text }];
    });
    const text = dialogueOf(readable);
    if (text.length < MIN_TEXT_LENGTH) yield { kind: "refusal", refusal: { kind: "unusable", cause: "too-short" } };
    else yield { kind: "document", document: { url, text, title: "", lang, licence: "" } };
  }
  yield { kind: "links", pages: found.links, sitemaps: [] };
}

async function firstOf(json: unknown, url: string, fetchJson: (url: string) => Promise<unknown>): Promise<Social | null> {
  for (const format of FORMATS) {
    const found = await format(json, url, fetchJson);
    if (found !== null) return found;
  }
  return null;
}

function jsonOf({ bytes, headers }: Resource): unknown {
  try {
    return JSON.parse(decodeText(bytes, headers.get("content-type") ?? "application/json; charset=utf-8"));
  } catch {
    // The caller counts an answer that is not JSON.
    return undefined;
  }
}
