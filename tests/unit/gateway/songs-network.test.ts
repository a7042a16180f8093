/** The network on the learn screen: it learns what it is taught with every choice of layers and activation. */
import { describe, expect, test } from "vitest";
import { INPUTS, PARTS, PLACES, SONGS, SongsNetwork, taughtOf } from "../../../workers/gateway/studio/screens/learn/songs-network.ts";

const SITUATIONS = PLACES.flatMap((place) => PARTS.map((part) => ({ place, part })));

test("the taught shares of every situation add up to 1", () => {
  for (const situation of SITUATIONS) expect(taughtOf(situation).reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 9);
});

describe.each([
  [[4], "relu"],
  [[8], "sigmoid"],
  [[6, 6], "relu"],
] as const)("a network of %o units with %s", (hidden, activation) => {
  test("learns the shares of songs in every situation within its 600 steps", () => {
    const network = new SongsNetwork(hidden, activation);
    const first = network.step();
    let last = first;
    while (network.steps < 600) last = network.step();
    expect(last).toBeLessThan(first);
    for (const situation of SITUATIONS) {
      const values = network.values(situation);
      expect(values.map(({ length }) => length)).toEqual([INPUTS.length, ...hidden, SONGS.length]);
      const taught = taughtOf(situation);
      const errors = values.at(-1)!.map((share, index) => Math.abs(share - taught[index]!));
      expect({ situation, isClose: Math.max(...errors) < 0.1 }).toEqual({ situation, isClose: true });
    }
  });
});
