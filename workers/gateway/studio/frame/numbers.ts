/** Formats numbers for readers, with their units. */

const whole = new Intl.NumberFormat("en");
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

export const NONE = "–";

export const count = (value: number): string => (value < 10_000 ? whole.format(value) : short.format(value));
export const percent = (share: number): string => `${Math.round(100 * share)} %`;
export const decimal = (value: number, digits: number): string => value.toFixed(digits);
/** "1 page", "2 pages". */
export const counted = (value: number, one: string, many = `${one}s`): string => `${count(value)} ${value === 1 ? one : many}`;

export function bytes(value: number): string {
  const units = ["bytes", "KB", "MB", "GB", "TB"];
  const power = value < 1000 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(value) / 3));
  const scaled = value / 1000 ** power;
  return `${power === 0 ? value : scaled.toFixed(scaled < 10 ? 2 : scaled < 100 ? 1 : 0)} ${units[power]}`;
}

export function duration(seconds: number): string {
  const rounded = Math.max(0, Math.round(seconds));
  if (rounded < 60) return `${rounded} s`;
  if (rounded < 3600) return `${Math.floor(rounded / 60)} min ${rounded % 60} s`;
  const hours = Math.floor(rounded / 3600);
  return hours < 48 ? `${hours} h ${Math.floor((rounded % 3600) / 60)} min` : `${Math.floor(hours / 24)} days`;
}

/** The age of a time, in its largest unit only: "4 min ago". */
export function ago(time: string, now = Date.now()): string {
  const seconds = (now - Date.parse(time)) / 1000;
  if (seconds < 60) return "just now";
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  return seconds < 48 * 3600 ? `${Math.floor(seconds / 3600)} h ago` : `${Math.floor(seconds / 86_400)} days ago`;
}

/** The beginning of a hash, which is enough to tell models apart. */
export const shortHash = (hash: string): string => hash.slice(0, 8);
