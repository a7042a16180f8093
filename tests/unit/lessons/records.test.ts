import { describe, expect, test } from "vitest";
import { encodeConversations, pieceStart, replayRecords } from "../../../shared/lessons/encode.ts";
import { conversationRecord, pairsOf, recordNumbers, textRecord } from "../../../shared/lessons/records.ts";
import type { Message } from "../../../shared/tokenizer/chat-template.ts";
import { LAYOUT } from "../../../shared/tokenizer/layout.ts";
import { Tokenizer } from "../../../shared/tokenizer/tokenizer.ts";

/** Without merges every byte is a token, and its id is the byte plus 16. */
const tokenizer = new Tokenizer(LAYOUT.vocabulary([]));
const idsOf = (text: string) => [...text].map((letter) => 16 + letter.charCodeAt(0));
const [START, END] = [1, 2];
const CONVERSATION: Message[] = [
  { role: "user", content: "Hi" },
  { role: "assistant", content: "Yo" },
];
const IDS = [START, ...idsOf("user\nHi"), END, ...idsOf("\n"), START, ...idsOf("assistant\n"), ...idsOf("Yo"), END];

const tokensOf = (record: Uint16Array) => [...record].filter((_, index) => index % 2 === 0);
const flagsOf = (record: Uint16Array) => [...record].filter((_, index) => index % 2 === 1);

describe("a record", () => {
  test("is a conversation in ChatML, padded with zeros; the answer and its end are learned", () => {
    const record = conversationRecord(tokenizer, CONVERSATION, 40);
    expect(record).toHaveLength(recordNumbers(40));
    expect(tokensOf(record)).toEqual([...IDS, ...Array.from({ length: 41 - IDS.length }, () => 0)]);
    expect(flagsOf(record).flatMap((flag, index) => (flag === 1 ? [index] : []))).toEqual([IDS.length - 3, IDS.length - 2, IDS.length - 1]);
    expect(pairsOf(record)).toBe(IDS.length);
  });

  test("learns every answer of a conversation and no question", () => {
    const record = conversationRecord(tokenizer, [...CONVERSATION, ...CONVERSATION], 80);
    const learned = tokensOf(record).filter((_, index) => flagsOf(record)[index] === 1);
    expect(learned).toEqual([...idsOf("Yo"), END, ...idsOf("Yo"), END]);
  });

  test("keeps the end of a conversation that is too long", () => {
    expect(tokensOf(conversationRecord(tokenizer, CONVERSATION, 7))).toEqual(IDS.slice(-8));
  });

  test("of text is learned whole", () => {
    const record = textRecord(Uint16Array.of(20, 21, 22), 4);
    expect([...record]).toEqual([20, 1, 21, 1, 22, 1, 0, 0, 0, 0]);
    expect(pairsOf(record)).toBe(3);
  });
});

describe("encoding", () => {
  test("puts each conversation into train or validation, and measures the longest", () => {
    const conversations = [CONVERSATION, [...CONVERSATION, ...CONVERSATION], CONVERSATION];
    const { train, val, longest } = encodeConversations(tokenizer, { conversations }, [false, false, true], [0, 3], 80);
    expect([train.length, val.length]).toEqual([2 * recordNumbers(80), recordNumbers(80)]);
    expect(longest).toBe(2 * IDS.length + 1);
    const some = encodeConversations(tokenizer, { conversations }, [false, false, true], [1, 2], 80);
    expect(some.train).toEqual(train.subarray(recordNumbers(80)));
  });

  test("spreads pieces evenly from the beginning of a text to its end", () => {
    expect(Array.from({ length: 5 }, (_, index) => pieceStart(index, 5, 110, 10))).toEqual([0, 25, 50, 75, 100]);
    expect(pieceStart(0, 1, 110, 10)).toBe(0);
    // A fifth of all records means one piece for four conversations.
    expect([replayRecords(400, 0.2), replayRecords(400, 0)]).toEqual([100, 0]);
  });
});
