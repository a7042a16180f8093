import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { contextSchema, partOfDay, renderContext } from "../../../shared/lessons/context.ts";

const hoursOf = (part: string) => Array.from({ length: 24 }, (_, hour) => hour).filter((hour) => partOfDay(hour) === part);

describe("a context", () => {
  test.each([
    [6, "morning, 06:00"],
    ["6", "morning, 06:00"],
    ["06:00", "morning, 06:00"],
    ["6 am", "morning, 06:00"],
    ["6:30 pm", "evening, 18:30"],
    ["12am", "night, 00:00"],
    ["12 p.m.", "day, 12:00"],
    ["22.15", "night, 22:15"],
    ["18h", "evening, 18:00"],
    ["2026-12-01T07:05:00Z", "morning, 07:05"],
    [24, "night, 00:00"],
    ["evening", "evening"],
    ["after  lunch", "after lunch"],
    ["25:00", "25:00"],
    ["6:75", "6:75"],
    ["13 pm", "13 pm"],
    [-3, "-3"],
    [6.5, "6.5"],
  ])("says the hour %j as %j", (time, rendered) => {
    expect(renderContext({ time })).toBe(`time: ${rendered}`);
  });

  test("names the part of the day of every hour", () => {
    expect(hoursOf("night")).toEqual([0, 1, 2, 3, 4, 21, 22, 23]);
    expect(hoursOf("morning")).toEqual([5, 6, 7, 8, 9, 10]);
    expect(hoursOf("day")).toEqual([11, 12, 13, 14, 15]);
    expect(hoursOf("evening")).toEqual([16, 17, 18, 19, 20]);
  });

  test("is rendered in the same order for any order of its keys", () => {
    const lines = "time: morning, 08:00\nplace: gym\ntopic: tea\nage: 7\nweather: rain";
    expect(renderContext({ weather: "rain", age: 7, topic: "tea", place: "gym", time: 8 })).toBe(lines);
    expect(renderContext({ time: 8, topic: "tea", weather: "rain", place: "gym", age: 7 })).toBe(lines);
  });

  test("without values is no message", () => {
    expect(renderContext({})).toBeNull();
    expect(renderContext({ place: " \n", "": "x" })).toBeNull();
  });

  test("keeps each value on its own line, whatever the value contains", () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string({ maxLength: 20 }), fc.oneof(fc.string({ maxLength: 40 }), fc.double(), fc.boolean())),
        (context) => {
          const lines = renderContext(context)?.split(/\r\n|[\n\r\u2028\u2029\v\f]/) ?? [];
          expect(lines.length).toBeLessThanOrEqual(Object.keys(context).length);
          for (const line of lines) expect(line).toContain(": ");
        },
      ),
    );
  });

  test("with too many keys is refused", () => {
    const context = Object.fromEntries(Array.from({ length: 33 }, (_, index) => [`key${index}`, "x"]));
    expect(contextSchema.safeParse(context).error?.issues[0]?.message).toBe("expected at most 32 keys");
  });
});
