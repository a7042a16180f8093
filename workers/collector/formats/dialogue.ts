/** Writes posts as a dialogue without the names of people. */

export interface Post {
  /** The author's handle; it is never stored. */
  author: string;
  text: string;
}

/** A handle in a text: `@name` or `@name@host`. */
const MENTION = /(?<![\w/@.])@([A-Za-z0-9_][\w.-]{0,60}?)(?:@((?:[\w-]{1,63}\.)+[A-Za-z]{2,24}))?(?![\w@])/g;
const localName = (handle: string) => handle.replace(/^@/, "").split("@", 1)[0]!.toLowerCase();

/** One paragraph per post: `Person 1: …`. A single post stands without a speaker. */
export function dialogueOf(posts: readonly Post[]): string {
  const speakers = new Map<string, string>();
  for (const { author } of posts) {
    const name = localName(author);
    if (!speakers.has(name)) speakers.set(name, `Person ${speakers.size + 1}`);
  }
  const turns = posts.map(({ author, text }) => {
    const said = text
      .trim()
      // Mentions at the beginning of a reply are addresses, not words.
      .replace(/^(?:@[\w.-]{1,60}(?:@[\w.-]{1,100})?[ \n]+)+/, "")
      .replace(MENTION, (_, name: string) => `@${speakers.get(localName(name))?.replace(" ", "") ?? "someone"}`);
    return posts.length === 1 ? said : `${speakers.get(localName(author))}: ${said}`;
  });
  return turns.join("\n\n");
}
