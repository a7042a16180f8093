/**
 * A paragraph that is one link from end to end looks like a menu to Readability, which judges by the share of linked text.
 * In an article such a paragraph is text: it has whole sentences, and most of the text around it is not linked. Its link is
 * replaced by its content. Lists of teasers stay linked, because around a teaser most text is linked too.
 */
import type { parseHTML } from "linkedom";

/** Shorter paragraphs are labels and headlines. */
const MIN_SENTENCE_LENGTH = 60;
/** A sentence ends in one of these, perhaps inside quotes or brackets. An ellipsis is the end of a teaser that was cut. */
const SENTENCE_END = /(?<!\.)[.!?。！？।]["'”’»)\]]*$/;
/** More text than this many times the paragraph is enough to judge the surroundings by. */
const SURROUNDINGS = 3;
const MAX_LEVELS = 4;
/** Paragraphs that are looked at: the surroundings of each may be the whole page. */
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
  // All are judged before the first is changed.
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

/** The text around a paragraph, from the nearest ancestor that has enough of it. */
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
