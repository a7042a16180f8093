/**
 * Parses the command-line options of the scripts strictly. An error names the expected value, the given value and the usage of
 * the script.
 */
import { parseArgs, type ParseArgsOptionsConfig } from "node:util";

type Values<T extends ParseArgsOptionsConfig> = ReturnType<typeof parseArgs<{ options: T }>>["values"];

/** Parses the command line by `options` and returns the result of `read`. An error in either ends the process with exit code 2. */
export function readOptions<T extends ParseArgsOptionsConfig, R>(
  usage: string,
  options: T,
  read: (values: Values<T>) => R,
  args: string[] = process.argv.slice(2),
): R {
  try {
    return read(parseArgs({ args, options, allowNegative: true }).values as Values<T>);
  } catch (error) {
    console.error(`${(error as Error).message}\nusage: ${usage}`);
    return process.exit(2);
  }
}

/** Like readOptions, but also accepts positional arguments; `read` gets them as its second parameter. */
export function readArguments<T extends ParseArgsOptionsConfig, R>(
  usage: string,
  options: T,
  read: (values: Values<T>, positionals: string[]) => R,
): R {
  try {
    const { values, positionals } = parseArgs({ options, allowNegative: true, allowPositionals: true });
    return read(values as Values<T>, positionals);
  } catch (error) {
    console.error(`${(error as Error).message}\nusage: ${usage}`);
    return process.exit(2);
  }
}

/** A whole number in a range; undefined if the option is missing. */
export function wholeNumber(option: string, text: string | undefined, min: number, max: number): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= min && value <= max) return value;
  throw new Error(`--${option}: expected a whole number in ${min}..${max}, got ${text}`);
}

/** A number of at least 0; undefined if the option is missing. */
export function amount(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text);
  throw new Error(`--${option}: expected a number like 10 or 0.5, got ${text}`);
}

/** A web address; undefined if the option is missing. */
export function webAddress(option: string, text: string | undefined): string | undefined {
  if (text === undefined || (/^https?:\/\//i.test(text) && URL.canParse(text))) return text;
  throw new Error(`--${option}: expected an http or https URL, got ${text}`);
}

/** Drops undefined fields, as exactOptionalPropertyTypes requires. */
export function given<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as never;
}
