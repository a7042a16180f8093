/**
 * A dense network that is small enough to draw: it learns which songs fit a part of the day and a place. It is the network of
 * classifiers (shared/model/dense), with one input per part of the day and per place instead of hashed features. It learns the
 * taught shares by gradient descent with momentum on all situations at once.
 */
import {
  addGradients,
  layerOutputs,
  softmax,
  zeroLayers,
  type DenseLayer,
  type DenseShape,
} from "../../../../../shared/model/dense/network.ts";
import { createRandom, normal } from "../../../../../shared/model/random.ts";

export const PARTS = ["night", "morning", "day", "evening"] as const;
export const PLACES = ["gym", "home", "party"] as const;
export const SONGS = ["workout", "morning", "calm", "party"] as const;
export const INPUTS: readonly string[] = [...PARTS, ...PLACES];

/** The taught shares of the songs, in percent, for each place: at night, in the morning, by day, in the evening. */
const TAUGHT: Readonly<Record<(typeof PLACES)[number], readonly (readonly [number, number, number, number])[]>> = {
  gym: [
    [80, 0, 5, 15],
    [87, 8, 0, 5],
    [90, 0, 5, 5],
    [85, 0, 0, 15],
  ],
  home: [
    [0, 0, 90, 10],
    [10, 75, 15, 0],
    [10, 0, 85, 5],
    [0, 0, 70, 30],
  ],
  party: [
    [5, 0, 3, 92],
    [0, 20, 10, 70],
    [10, 0, 10, 80],
    [0, 0, 10, 90],
  ],
};

const [RATE, MOMENTUM] = [0.3, 0.9];

export interface Situation {
  part: (typeof PARTS)[number];
  place: (typeof PLACES)[number];
}

const SITUATIONS: readonly Situation[] = PLACES.flatMap((place) => PARTS.map((part) => ({ part, place })));
const activeOf = ({ part, place }: Situation) => [PARTS.indexOf(part), PARTS.length + PLACES.indexOf(place)];

/** The taught shares of a situation, from 0 to 1. */
export const taughtOf = ({ part, place }: Situation): number[] => TAUGHT[place][PARTS.indexOf(part)]!.map((share) => share / 100);

export class SongsNetwork {
  readonly shape: DenseShape;
  readonly layers: DenseLayer[];
  readonly #velocity: DenseLayer[];
  steps = 0;

  constructor(hidden: readonly number[], activation: DenseShape["activation"], seed = 1) {
    this.shape = { features: INPUTS.length, hidden, labels: SONGS.length, activation };
    this.layers = zeroLayers(this.shape, Float64Array);
    this.#velocity = zeroLayers(this.shape, Float64Array);
    const random = createRandom(seed);
    for (const { weight, bias } of this.layers) {
      const std = Math.sqrt((2 * bias.length) / weight.length);
      for (let at = 0; at < weight.length; at++) weight[at] = std * normal(random);
    }
  }

  /** One step of gradient descent. Returns the mean loss before it, in nats. */
  step(): number {
    const gradients = zeroLayers(this.shape, Float64Array);
    let loss = 0;
    for (const situation of SITUATIONS) {
      const active = activeOf(situation);
      for (const [label, share] of taughtOf(situation).entries()) {
        const scale = share / SITUATIONS.length;
        if (share > 0) loss += scale * addGradients(this.shape, this.layers, { active, label }, scale, gradients);
      }
    }
    for (const [index, layer] of this.layers.entries()) {
      for (const name of ["weight", "bias"] as const) {
        const [values, moved, gradient] = [layer[name], this.#velocity[index]![name], gradients[index]![name]];
        for (let at = 0; at < values.length; at++) {
          moved[at] = MOMENTUM * moved[at]! - RATE * gradient[at]!;
          values[at]! += moved[at]!;
        }
      }
    }
    this.steps++;
    return loss;
  }

  /** The values of every layer from the inputs to the probabilities of the songs. */
  values(situation: Situation): number[][] {
    const active = activeOf(situation);
    const outputs = layerOutputs(this.shape, this.layers, active);
    const inputs = INPUTS.map((_, input) => (active.includes(input) ? 1 : 0));
    return [inputs, ...outputs.slice(0, -1), softmax(outputs.at(-1)!).probabilities].map((values) => Array.from(values));
  }
}
