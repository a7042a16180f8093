/**
 * Mutants: copies of the protocol with one safeguard removed. If a simulation does not notice the removal, it proves nothing
 * about that safeguard, so every mutant must be caught. A mutant is made under .tiffin by replacing one piece of text in the
 * protocol's sources.
 */
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { ROOT } from "../local/workers.ts";
import { simulate } from "./simulate.ts";
import type { Protocol } from "./world.ts";

/** The path of the protocol's folder. All other folders are shared with the original. */
const PROTOCOL = ["shared", "training", "protocol"] as const;

/** The safeguards: a piece of source text that occurs exactly once in the protocol, and its replacement. */
export const MUTATIONS: Readonly<Record<string, { from: string; to: string }>> = {
  "idempotency key": { from: "if (earlier !== null) {", to: "if (earlier === undefined) {" },
  "base-hash check": {
    from: 'submission.round !== state.base.round || submission.base !== state.base.checkpoint) return refuse("stale")',
    to: 'submission.round > state.base.round) return refuse("stale")',
  },
  "lease expiry": { from: "return givenAt <= now && now < expiresAt;", to: "return givenAt <= expiresAt;" },
  "finiteness check": {
    from: "if (!numbers.every((value) => Number.isFinite(value) && value >= 0))",
    to: "if (numbers.length === 0)",
  },
  "one vote per trainer": {
    from: "slot.votes.find((vote) => vote.trainer === given.trainer)",
    to: "slot.votes.find((vote) => vote.lease === given.id)",
  },
  "version of a trainer": { from: "if (asking !== coordinator) return", to: "if (asking === 0) return" },
  "version of an answer": { from: "if (!isOfVersion(given, version)) return", to: "if (version === 0) return" },
  "version at a restart": { from: "const hasOther = [", to: "const hasOther = version === 0 && [" },
  "commit order": {
    from: 'if (state.phase !== "training" || from !== state.base.checkpoint || !isRoundComplete(state)) return state;',
    to: "if (!isRoundComplete(state)) return state;",
  },
};

/** Copies the protocol below `root` and links the other folders and files that it imports. */
function copyProtocol(root: string): string {
  let path = "";
  for (const name of PROTOCOL) {
    mkdirSync(join(root, path), { recursive: true });
    for (const beside of readdirSync(join(ROOT, path))) {
      if (path !== "" && beside !== name) symlinkSync(join(ROOT, path, beside), join(root, path, beside));
    }
    path = join(path, name);
  }
  cpSync(join(ROOT, path), join(root, path), { recursive: true });
  return join(root, path);
}

/** Loads the protocol without one safeguard, from a copy of its sources under `folder`. */
async function loadMutant(name: string, folder: string): Promise<Protocol> {
  const { from, to } = MUTATIONS[name]!;
  const protocol = copyProtocol(join(folder, name.replaceAll(/\W+/g, "-")));
  const sources = readdirSync(protocol).map((file) => [join(protocol, file), readFileSync(join(protocol, file), "utf8")] as const);
  const found = sources.flatMap(([path, source]) => Array.from({ length: source.split(from).length - 1 }, () => [path, source] as const));
  const [place] = found;
  if (place === undefined || found.length > 1)
    throw new Error(
      `mutation ${name}: expected its text once in ${PROTOCOL.join("/")}, found it ${found.length} times. Adapt the text in mutants.ts: ${from}`,
    );
  writeFileSync(place[0], place[1].replace(from, to));
  return (await import(pathToFileURL(join(protocol, "run.ts")).href)) as Protocol;
}

/** For each safeguard, the first seed (of `seeds`) that catches its mutant, or null. Sources are copied to `folder` meanwhile. */
export async function catchMutants(seeds: number, folder = join(ROOT, ".tiffin", "mutants")): Promise<Record<string, number | null>> {
  const caught: Record<string, number | null> = {};
  rmSync(folder, { recursive: true, force: true });
  for (const name of Object.keys(MUTATIONS)) caught[name] = firstCaught(await loadMutant(name, folder), seeds);
  rmSync(folder, { recursive: true, force: true });
  return caught;
}

function firstCaught(mutant: Protocol, seeds: number): number | null {
  for (let seed = 0; seed < seeds; seed++) {
    try {
      simulate(seed, mutant);
    } catch {
      // A crash of the mutant counts as caught, because any test would show the crash.
      return seed;
    }
  }
  return null;
}
