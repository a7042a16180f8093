/** The contract between the social adapter and the formats that it reads. */
import type { Post } from "../formats/dialogue.ts";

/** What one of the formats makes of a parsed answer. */
export interface Social {
  threads: { url: string; posts: Post[]; lang: string }[];
  links: string[];
  /** Posts whose authors do not want them indexed. */
  reserved: number;
}

/** Reads a parsed answer; null if it has another format. `fetchJson` fetches further parts of the same thread. */
export type SocialFormat = (json: unknown, url: string, fetchJson: (url: string) => Promise<unknown>) => Promise<Social | null>;
