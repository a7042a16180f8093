/**
 * Tells the registry whether a run may have work. Trainers find runs through the registry, so a run that is wrongly listed as
 * closed gets no trainer. Only the run itself reports, and its reports are sent in order, so a late report never overwrites a
 * newer one.
 */
import { log } from "../../shared/log.ts";
import type { Registry } from "./registry.ts";
import { SerialQueue } from "./serial-queue.ts";

export class OpenReport {
  readonly #registry: DurableObjectNamespace<Registry>;
  readonly #reports = new SerialQueue();
  /** The last report that the registry has stored; null after this object starts. */
  #reported: boolean | null = null;

  constructor(registry: DurableObjectNamespace<Registry>) {
    this.#registry = registry;
  }

  /**
   * Reports a change once, with the rate of the run's trainers if it is known. Never throws: after a failure the next call
   * reports again.
   */
  async report(run: string, isOpen: boolean, cpuRate: number | null = null): Promise<void> {
    await this.#reports.run(async () => {
      if (this.#reported === isOpen) return;
      try {
        const registry = this.#registry.getByName("registry");
        if (cpuRate !== null) await registry.reportCpuRate(run, cpuRate);
        await registry.setOpen(run, isOpen);
        this.#reported = isOpen;
      } catch (error) {
        log("warn", `not reported as ${isOpen ? "open" : "closed"}: ${(error as Error).message}; the next call tries again`, { run });
      }
    });
  }
}
