/** The runs that are compared with the watched one: their names from the page's address, and their curves. */
import { computed, effect, signal } from "@preact/signals";
import type { Curve, Stretch } from "../../../../../shared/contracts/curve.ts";
import type { RunStatus } from "../../../../../shared/contracts/runs.ts";
import { setParameters, textParameter } from "../../frame/address.ts";
import { call } from "../../frame/api.ts";

/** With the watched run, four curves lie over each other. */
const MOST_COMPARED = 3;
const POINTS = 200;

export const runs = signal<readonly RunStatus[] | null>(null);
const curves = signal<Readonly<Record<string, readonly Stretch[]>>>({});

const names = computed(() =>
  textParameter("with")
    .split(",")
    .filter((name) => name !== ""),
);

/** The compared runs that exist, in the order of the address. */
export const compared = computed((): readonly RunStatus[] =>
  names.value
    .slice(0, MOST_COMPARED)
    .map((name) => runs.value?.find(({ id }) => id === name))
    .filter((run) => run !== undefined),
);

export const isCompared = (id: string): boolean => names.value.includes(id);
export const canCompareMore = (): boolean => compared.value.length < MOST_COMPARED;

export function toggleCompared(id: string): void {
  const rest = names.peek().filter((name) => name !== id);
  setParameters({ with: (isCompared(id) ? rest : [...rest, id]).join(",") });
}

export const curveOf = (id: string): readonly Stretch[] => curves.value[id] ?? [];

/** Reads the curves of compared runs: once, and again when a run has new rounds. */
export function watchCompared(): void {
  const known = new Map<string, number | null>();
  effect(() => {
    for (const { id, round } of compared.value) {
      if (known.get(id) === round) continue;
      known.set(id, round);
      void call<Curve>("GET", `/runs/${encodeURIComponent(id)}/curve?points=${POINTS}`)
        .then(({ stretches }) => {
          curves.value = { ...curves.peek(), [id]: stretches };
        })
        .catch(() => known.delete(id));
    }
  });
}
