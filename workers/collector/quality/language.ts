/** Identifies the language of a text by the frequency of its trigrams (franc-min: 82 languages with most speakers). */
import { franc } from "franc-min";

/** The middle of a text of this length is enough to tell its language. */
const SAMPLE = 2000;
/** Shorter samples are guesses. */
const MIN_LENGTH = 100;

/** A BCP 47 tag; empty if the language cannot be told. */
export function languageOf(text: string): string {
  const prose = text.replaceAll(/https?:\/\/\S{1,500}|[`{}<>=_/\\|#*\d]+/g, " ");
  const start = Math.max(0, Math.floor((prose.length - SAMPLE) / 2));
  const code = franc(prose.slice(start, start + SAMPLE), { minLength: MIN_LENGTH });
  return code === "und" ? "" : (Intl.getCanonicalLocales(code)[0] ?? "");
}
