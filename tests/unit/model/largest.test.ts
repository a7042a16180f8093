import * as fc from "fast-check";
import { expect, test } from "vitest";
import { largest } from "../../../shared/model/largest.ts";

test("the largest values are the start of the sorted values, for small and large counts, without those left out", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: -30, max: 30 }), { maxLength: 600 }),
      fc.oneof(fc.integer({ min: 0, max: 20 }), fc.integer({ min: 250, max: 700 })),
      fc.integer({ min: 1, max: 9 }),
      (values, count, step) => {
        const isLeftOut = (index: number) => step > 1 && index % step === 0;
        const sorted = [...values.keys()].filter((index) => !isLeftOut(index)).toSorted((a, b) => values[b]! - values[a]! || a - b);
        expect(largest(values, count, isLeftOut)).toEqual(sorted.slice(0, count));
      },
    ),
  );
});
