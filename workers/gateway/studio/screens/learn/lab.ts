/** The small network of the learn screen: its choices, which are in the address, and its training. */
import { computed, effect, signal } from "@preact/signals";
import { parameter } from "../../frame/address.ts";
import { PARTS, PLACES, SongsNetwork, type Situation } from "./songs-network.ts";

/** Training lasts ten seconds: some steps between two drawings, five drawings a second. */
const [STEPS_EACH, EVERY_MS] = [12, 200];
export const LAST_STEP = 600;

const LAYERS: Readonly<Record<string, readonly number[]>> = { "4": [4], "8": [8], "6,6": [6, 6], none: [] };

/** The values that a parameter of the address may have; the first one is the default. */
export const CHOICES = {
  hidden: ["4", "8", "6,6", "none"],
  activation: ["relu", "sigmoid"],
  part: ["morning", ...PARTS.filter((part) => part !== "morning")],
  place: PLACES,
} as const satisfies Readonly<Record<string, readonly string[]>>;

export function chosen<N extends keyof typeof CHOICES>(name: N): (typeof CHOICES)[N][number] {
  const choices: readonly string[] = CHOICES[name];
  const given = parameter(name);
  return (choices.find((choice) => choice === given) ?? choices[0]!) as (typeof CHOICES)[N][number];
}

export const situation = computed((): Situation => ({ part: chosen("part"), place: chosen("place") }));

const hidden = computed(() => chosen("hidden"));
const activation = computed(() => chosen("activation"));
const newNetwork = () => new SongsNetwork(LAYERS[hidden.value]!, activation.value);

/** The network, with the number of its steps, because a step changes it in place. */
export const lab = signal({ network: newNetwork(), steps: 0, loss: null as number | null });
export const isTraining = signal(false);
let timer: ReturnType<typeof setInterval> | undefined;

function train(steps: number): void {
  const { network } = lab.value;
  let { loss } = lab.value;
  for (let step = 0; step < steps && network.steps < LAST_STEP; step++) loss = network.step();
  lab.value = { network, steps: network.steps, loss };
  if (network.steps >= LAST_STEP) pause();
}

function pause(): void {
  clearInterval(timer);
  isTraining.value = false;
}

export function restart(): void {
  pause();
  lab.value = { network: newNetwork(), steps: 0, loss: null };
}

/** Begins or pauses the training. Whoever wants no motion gets the trained network at once. */
export function toggle(): void {
  if (isTraining.value) return pause();
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) return train(LAST_STEP);
  isTraining.value = true;
  timer = setInterval(() => {
    if (!document.hidden) train(STEPS_EACH);
  }, EVERY_MS);
}

/** Replaces the network whenever its layers or its activation change. Returns the function that ends this, and the training. */
export function watchChoices(): () => void {
  const stop = effect(restart);
  return () => {
    stop();
    pause();
  };
}
