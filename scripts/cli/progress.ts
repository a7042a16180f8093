/**
 * Shows one line per stage: a bar with rate and remaining time while the stage runs, then a summary. The output goes to
 * standard error, because standard output is for results. Without a terminal, a plain line is printed every few seconds.
 */
import ora, { type Ora } from "ora";

const BAR_CELLS = 24;
const PLAIN_INTERVAL_MS = 10_000;

/** 75 -> "1 min 15 s". */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

function compact(value: number): string {
  return new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 }).format(value);
}

export class Stage {
  readonly #name: string;
  readonly #unit: string;
  readonly #spinner: Ora;
  readonly #startedAt = Date.now();
  #firstDone: number | null = null;
  #printedAt = Date.now();

  constructor(name: string, unit: string) {
    this.#name = name;
    this.#unit = unit;
    this.#spinner = ora({ text: name, stream: process.stderr, discardStdin: false });
    if (process.stderr.isTTY) this.#spinner.start();
    else process.stderr.write(`- ${name}\n`);
  }

  /** If `rate` (per second) or `secondsLeft` is missing, it is estimated from the progress so far. */
  update(done: number, total: number, note = "", rate?: number | null, secondsLeft?: number | null): void {
    // Progress that was made before this process started does not count for the rate.
    this.#firstDone ??= done;
    const elapsed = (Date.now() - this.#startedAt) / 1000;
    const speed = rate ?? (elapsed > 0 ? (done - this.#firstDone) / elapsed : 0);
    const left = secondsLeft ?? (speed > 0 ? (total - done) / speed : null);
    const share = total > 0 ? Math.min(1, done / total) : 0;
    const cells = Math.round(share * BAR_CELLS);
    const parts = [
      `${"█".repeat(cells)}${"░".repeat(BAR_CELLS - cells)} ${String(Math.round(share * 100)).padStart(3)}%`,
      `${compact(done)}/${compact(total)} ${this.#unit}`,
      `${compact(speed)}/s`,
      left === null ? "" : `${duration(left)} left`,
      note,
    ];
    const line = `${this.#name.padEnd(9)} ${parts.filter((part) => part !== "").join("  ")}`;
    if (process.stderr.isTTY) this.#spinner.text = line;
    else if (Date.now() - this.#printedAt >= PLAIN_INTERVAL_MS) {
      this.#printedAt = Date.now();
      process.stderr.write(`  ${line}\n`);
    }
  }

  /** Prints a separate line while the stage goes on. */
  note(line: string): void {
    this.#spinner.clear();
    process.stderr.write(`  ${line}\n`);
  }

  done(summary: string): void {
    const line = `${this.#name.padEnd(9)} ${summary}  (${duration((Date.now() - this.#startedAt) / 1000)})`;
    if (process.stderr.isTTY) this.#spinner.succeed(line);
    else process.stderr.write(`✔ ${line}\n`);
  }

  fail(message: string): void {
    if (process.stderr.isTTY) this.#spinner.fail(`${this.#name.padEnd(9)} ${message}`);
    else process.stderr.write(`✖ ${this.#name.padEnd(9)} ${message}\n`);
  }
}
