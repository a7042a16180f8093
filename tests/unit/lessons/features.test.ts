import { expect, test } from "vitest";
import { featuresOf, inputsOf, MAX_FEATURES } from "../../../shared/lessons/features.ts";
import { countingLoss, LABELLED_RECORD, labelledRecords, labelsOf } from "../../../shared/lessons/labelled.ts";

const names = (...asked: Parameters<typeof featuresOf>) => featuresOf(...asked).map(({ name }) => name);

test("features are the parts of the context's values, then the words, each once", () => {
  expect(names("I need songs, songs!", { place: "Gym", time: 6 })).toEqual([
    "time morning",
    "time 06:00",
    "place gym",
    "word i",
    "word need",
    "word songs",
  ]);
  expect(names("DOSA?", {})).toEqual(names("dosa", {}));
  expect(names("வணக்கம் 7", {})).toEqual(["word வணக்கம்", "word 7"]);
  expect(names("?!", {})).toEqual([]);
});

test("hours that share a part of the day share a feature", () => {
  const [six, seven] = [6, 7].map((time) => names("x", { time }));
  expect(six!.filter((name) => seven!.includes(name))).toEqual(["time morning", "word x"]);
});

test("a long text has the most features and no more; its context stays", () => {
  const long = featuresOf(Array.from({ length: 400 }, (_, index) => `w${index}`).join(" "), { place: "gym" });
  expect([long.length, long[0]!.name]).toEqual([MAX_FEATURES, "place gym"]);
  expect(long.every(({ hash }) => Number.isInteger(hash) && hash >= 0 && hash < 65_536)).toBe(true);
});

test("inputs are the lowest bits of the hashes, each once", () => {
  expect(inputsOf([0x1234, 0xff34, 0x0001], 256)).toEqual([0x34, 0x01]);
});

test("a record has the label's index, the number of features, and the features", () => {
  const lessons = [
    { text: "b", context: {}, label: "z" },
    { text: "a c", context: {}, label: "a" },
  ];
  const labels = labelsOf(lessons);
  expect(labels).toEqual(["a", "z"]);
  const records = labelledRecords(lessons, labels);
  expect(records).toHaveLength(2 * LABELLED_RECORD);
  expect([...records.subarray(0, 4)]).toEqual([1, 1, featuresOf("b", {})[0]!.hash, 0]);
  expect([...records.subarray(LABELLED_RECORD, LABELLED_RECORD + 2)]).toEqual([0, 2]);
});

const lesson = (label: string) => ({ text: "t", context: {}, label });

test("the loss of counting labels is that of their shares with one more of each", () => {
  // By hand: counts 3 + 1 and 1 + 1 of 6.
  const trained = ["a", "a", "a", "b"].map(lesson);
  expect(countingLoss(trained, [lesson("a"), lesson("b")], ["a", "b"])).toBeCloseTo(-(Math.log(4 / 6) + Math.log(2 / 6)) / 2, 12);
});
