/**
 * Unlinks paragraphs that are one link from end to end. Readability judges by the share of linked text, so it mistakes such a
 * paragraph for a menu. In an article the paragraph is text: it has whole sentences, and most text around it is not linked.
 * The link is then replaced by its content. Lists of teasers stay linked, because most text around a teaser is linked too.
 */
import type { parseHTML } from "linkedom";

/** Shorter paragraphs are labels or headlines. */
const MIN_SENTENCE_LENGTH = 60;
/**
 * The end of a sentence: one of these characters, perhaps before quotes or brackets. An ellipsis does not count, because it
 * ends a cut teaser.
 */
const SENTENCE_END = /(?<!\.)[.!?。！？।]["'”’»)\]]*$/;
/** The text around a paragraph is long enough if it is more than this many times as long as the paragraph. */
const SURROUNDINGS = 3;
const MAX_LEVELS = 4;
/** The most paragraphs that are judged. The limit bounds the time, because judging a paragraph may read the whole page. */
const MAX_CANDIDATES = 200;

export type PageDocument = ReturnType<typeof parseHTML>["document"];
type Element = ReturnType<PageDocument["querySelectorAll"]>[number];

const textOf = (element: Element) => (element.textContent ?? "").replace(/\s+/g, " ").trim();

export function unlinkParagraphs(document: PageDocument): void {
  const candidates = [...document.querySelectorAll("p")].flatMap((paragraph) => {
    const links = paragraph.querySelectorAll("a");
    const text = links.length === 1 ? textOf(paragraph) : "";
    const isSentence = text.length >= MIN_SENTENCE_LENGTH && SENTENCE_END.test(text);
    return isSentence && textOf(links[0]!) === text ? [{ paragraph, link: links[0]!, length: text.length }] : [];
  });
  const shares = new Map<Element, LinkShare>();
  // All paragraphs are judged before the first is changed, so a change does not affect a later judgement.
  const inText = candidates
    .slice(0, MAX_CANDIDATES)
    .filter(({ paragraph, length }) => isMostlyText(surroundings(paragraph, length, shares)));
  for (const { link } of inText) link.replaceWith(...link.childNodes);
}

interface LinkShare {
  length: number;
  linked: number;
}

const isMostlyText = ({ length, linked }: LinkShare) => linked < length / 2;

/** The text around a paragraph: the nearest ancestor with enough text. */
function surroundings(paragraph: Element, length: number, shares: Map<Element, LinkShare>): LinkShare {
  let share: LinkShare = { length, linked: length };
  let element: Element | null = paragraph.parentElement;
  for (let level = 0; level < MAX_LEVELS && element !== null && share.length <= SURROUNDINGS * length; level++) {
    share = shares.get(element) ?? linkShareOf(element);
    shares.set(element, share);
    element = element.parentElement;
  }
  return share;
}

function linkShareOf(element: Element): LinkShare {
  const linked = [...element.querySelectorAll("a")].reduce((sum, link) => sum + textOf(link).length, 0);
  return { length: textOf(element).length, linked };
}
