/** Resident memory of this process's descendants, as the operating system counts it (Linux only). */
import { readdirSync, readFileSync } from "node:fs";

/** All processes: process id -> parent's id and name. */
function processes(): Map<number, { parent: number; name: string }> {
  const table = new Map<number, { parent: number; name: string }>();
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const [, name = "", rest = ""] = /^\d+ \((.*)\) (.*)$/s.exec(readFileSync(`/proc/${entry}/stat`, "utf8")) ?? [];
      table.set(Number(entry), { parent: Number(rest.split(" ")[1]), name });
    } catch (error) {
      // The process has ended since the listing.
      if (!["ENOENT", "ESRCH"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
    }
  }
  return table;
}

/** Ids of all descendants of this process with the given name. */
export function descendants(name: string, ancestor = process.pid): number[] {
  const table = processes();
  const isBelow = (id: number): boolean => {
    const parent = table.get(id)?.parent;
    return parent !== undefined && (parent === ancestor || (parent > 1 && isBelow(parent)));
  };
  return [...table].filter(([id, entry]) => entry.name === name && isBelow(id)).map(([id]) => id);
}

/** VmRSS: all resident pages. RssAnon: pages without a file behind them (heaps, but not the program). VmHWM: the peak of VmRSS. */
type Resident = "VmRSS" | "RssAnon" | "VmHWM";

/** Resident bytes of a process. Throws on systems without /proc. */
export function residentBytes(id: number, which: Resident = "VmRSS"): number {
  const kib = new RegExp(`^${which}:\\s+(\\d+) kB`, "m").exec(readFileSync(`/proc/${id}/status`, "utf8"))?.[1];
  if (kib === undefined) throw new Error(`process ${id}: expected ${which} in its status, found none`);
  return Number(kib) * 1024;
}

/** Resident bytes of all descendants with the given name. */
export function childMemory(name: string, which: Resident = "VmRSS"): number {
  return descendants(name).reduce((sum, id) => sum + residentBytes(id, which), 0);
}
