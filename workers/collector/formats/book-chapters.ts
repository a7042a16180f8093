/**
 * Cuts the text of a book at its chapters, and joins lines that were wrapped for print. A chapter that is too large for a document
 * is cut between paragraphs.
 */

/** A document has at most half of this in a row of the catalog; a character has up to three bytes. */
const MAX_PART_CHARACTERS = 256 * 1024;
/** A shorter chapter is a line of the table of contents, or a title page. It joins the next chapter. */
const MIN_CHAPTER_CHARACTERS = 400;
/** A line of this length ends because the page ends. Shorter lines are verse, lists or the end of a paragraph. */
const WRAPPED_LINE = 45;
/** English, French, German, Spanish, Italian, Portuguese, Dutch; a number alone; or a Roman number with a title. */
const HEADING =
  /^(?:(?:chapter|chapitre|kapitel|cap[ií]tulo|capitolo|hoofdstuk|book|livre|buch|libro|part|partie|teil|letter|act|acte|akt|scene|scène|canto|stave|volume|section|prologue|epilogue|preface|introduction|foreword|conclusion|appendix)\b[^a-z\n]{0,40}[^\n]{0,80}|(?=[IVXLC]+[.\s]?$)[IVXLC]{1,8}\.?|[IVXLC]{1,8}\. [A-Z][^\n]{0,60})$/i;

export interface BookPart {
  /** The name of the part in the book's address. */
  part: string;
  heading: string;
  text: string;
}

/** `isWrapped`: lines are wrapped at a fixed width, as in plain text. */
export function partsOfBook(content: string, isWrapped: boolean): BookPart[] {
  const paragraphs = content
    .split(/\n[ \t]*\n\s*/)
    .map((paragraph) => (isWrapped ? unwrapped(paragraph) : paragraph).trim())
    .filter((each) => each !== "");
  const chapters: { heading: string; paragraphs: string[]; characters: number }[] = [{ heading: "", paragraphs: [], characters: 0 }];
  for (const paragraph of paragraphs) {
    const last = chapters.at(-1)!;
    const heading = headingOf(paragraph);
    if (heading !== null && last.characters >= MIN_CHAPTER_CHARACTERS) chapters.push({ heading, paragraphs: [paragraph], characters: 0 });
    else if (last.characters > MAX_PART_CHARACTERS)
      chapters.push({ heading: last.heading, paragraphs: [paragraph], characters: paragraph.length });
    else {
      // A short chapter is part of the next one, whose heading counts: the list of contents is not the first chapter.
      if (heading !== null) last.heading = heading;
      else last.characters += paragraph.length;
      last.paragraphs.push(paragraph);
    }
  }
  return chapters
    .filter((chapter) => chapter.paragraphs.length > 0)
    .map((chapter, index) => ({ part: `chapter-${index + 1}`, heading: chapter.heading, text: chapter.paragraphs.join("\n\n") }));
}

/** The first line of a short paragraph that is a heading. */
function headingOf(paragraph: string): string | null {
  const [first = "", second = "", ...more] = paragraph.split("\n");
  const isShort = paragraph.length < 200 && more.length < 2;
  if (!isShort || !HEADING.test(first.trim())) return null;
  return [first.trim(), second.trim()].filter((line) => line !== "").join(" ");
}

/** Joins the lines of a paragraph of prose. Verse, tables and letters keep their lines. */
function unwrapped(paragraph: string): string {
  const lines = paragraph.split("\n").map((line) => line.trimEnd());
  const isProse = lines.slice(0, -1).every((line) => line.length >= WRAPPED_LINE && !/^[ \t]{2,}/.test(line));
  return isProse && lines.length > 1 ? lines.map((line) => line.trim()).join(" ") : lines.join("\n");
}
