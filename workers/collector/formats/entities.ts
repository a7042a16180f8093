/** Decodes the character references that occur in wiki markup and posts. Names that are not listed stay as they are written. */
import { decodeXml } from "../web/xml.ts";

const NAMED: Readonly<Record<string, string>> = {
  nbsp: " ", thinsp: " ", ensp: " ", emsp: " ", ndash: "–", mdash: "—", hellip: "…", lsquo: "‘", rsquo: "’", ldquo: "“", rdquo: "”", laquo: "«", raquo: "»",
  times: "×", minus: "−", plusmn: "±", deg: "°", middot: "·", bull: "•", sect: "§", para: "¶", copy: "©", reg: "®", trade: "™", euro: "€", pound: "£",
  prime: "′", Prime: "″", larr: "←", rarr: "→", harr: "↔", le: "≤", ge: "≥", ne: "≠", asymp: "≈", infin: "∞", sum: "∑", radic: "√", half: "½", frac12: "½",
  frac14: "¼", frac34: "¾", sup2: "²", sup3: "³", alpha: "α", beta: "β", gamma: "γ", delta: "δ", pi: "π", mu: "μ", micro: "µ", omega: "ω", lambda: "λ",
  sigma: "σ", theta: "θ", auml: "ä", ouml: "ö", uuml: "ü", szlig: "ß", eacute: "é", egrave: "è", agrave: "à", ccedil: "ç", ntilde: "ñ", zwnj: "", zwj: "", shy: "",
  lrm: "", rlm: "",
}; // prettier-ignore

export const decodeEntities = (text: string) =>
  decodeXml(text.replace(/&([A-Za-z]{2,7}\d{0,2});/g, (whole, name: string) => NAMED[name] ?? whole)).replaceAll("\u00a0", " ");
