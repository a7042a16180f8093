import { afterAll, beforeAll, expect, test } from "vitest";
import { fixture, harnessOf } from "./harness.ts";

const server = harnessOf([fixture("tensor")]);

beforeAll(() => server.listen());
afterAll(() => server.close());

test("the backend starts in workerd from a compiled module, multiplies and differentiates", async () => {
  const response = await server.fetch("http://tensor/");
  expect(await response.json()).toEqual({
    backend: "wasm",
    // Hand arithmetic: [[1, 2], [3, 4]] times the transpose of [[1, 2], [3, 4], [5, 6]].
    product: [
      [5, 11, 17],
      [11, 25, 39],
    ],
    // Row 2 was used twice, row 1 never.
    gradient: [
      [1, 1],
      [0, 0],
      [2, 2],
    ],
    tensors: 0,
  });
});
