/** The account of a generator's isolate: when it reports to the ledger, and how many tokens it lets answers use. */
import { describe, expect, test } from "vitest";
import { LATENCY_BOUNDS } from "../../../shared/costs/latency.ts";
import type { AnswerReport } from "../../../shared/costs/reports.ts";
import { AnswerAccount, type AnswerLedger } from "../../../workers/generator/account.ts";

/** A ledger with a budget. Its next `failures` calls fail. */
class FakeLedger implements AnswerLedger {
  budget: number;
  failures = 0;
  readonly booked: AnswerReport[] = [];
  calls = 0;

  constructor(budget = Infinity) {
    this.budget = budget;
  }

  #call(): void {
    this.calls++;
    if (this.failures-- > 0) throw new Error("the ledger is down");
  }

  async takeTokens({ least, wanted }: { least: number; wanted: number }): Promise<number> {
    this.#call();
    const granted = this.budget < least ? 0 : Math.min(wanted, this.budget);
    this.budget -= granted;
    return granted;
  }

  async bookAnswers(report: AnswerReport, returned: number): Promise<void> {
    this.#call();
    this.booked.push(report);
    this.budget += returned;
  }
}

async function answer(account: AnswerAccount, ledger: AnswerLedger, tokens: number): Promise<void> {
  const opened = await account.open(ledger, 100);
  account.count(tokens);
  await account.close(ledger, opened);
}

describe("costs", () => {
  test("of answers at the same time share their CPU time and are told together", async () => {
    let now = 0;
    const ledger = new FakeLedger();
    const account = new AnswerAccount(() => now);
    const [first, second] = [await account.open(ledger, 100), await account.open(ledger, 100)];
    for (now = 10; now <= 100; now += 10) account.count(2);
    account.add({ d1RowsRead: 3 });
    await account.close(ledger, first);
    expect(ledger.booked).toEqual([]);
    await account.close(ledger, second);
    const usage = { cpuMilliseconds: 100, d1RowsRead: 3, objectRequests: 2 };
    expect(ledger.booked).toMatchObject([{ answers: 2, tokens: 20, usage }]);
    // Both answers ended when the clock was at 110 ms.
    expect(ledger.booked[0]!.latencies).toEqual({
      counts: LATENCY_BOUNDS.map((bound) => (bound >= 0.11 ? 2 : 0)),
      sum: expect.closeTo(0.22, 6) as number,
    });
  });

  test("leave out the time between answers", async () => {
    let now = 0;
    const ledger = new FakeLedger();
    const account = new AnswerAccount(() => now);
    for (const start of [0, 1000]) {
      now = start;
      const opened = await account.open(ledger, 100);
      now += 5;
      account.count(1);
      await account.close(ledger, opened);
    }
    expect(ledger.booked.map(({ usage }) => usage.cpuMilliseconds)).toEqual([5, 5]);
  });

  test("that a ledger was not told are told later, once", async () => {
    const ledger = new FakeLedger();
    const account = new AnswerAccount(() => 0);
    const opened = await account.open(ledger, 100);
    account.count(7);
    ledger.failures = 1;
    await account.close(ledger, opened);
    expect(ledger.booked).toEqual([]);
    await answer(account, ledger, 7);
    expect(ledger.booked.map(({ answers, tokens }) => [answers, tokens])).toEqual([[2, 14]]);
  });
});

describe("the budget", () => {
  test("pays for the tokens that were made, and gets the rest back", async () => {
    const ledger = new FakeLedger(1000);
    const account = new AnswerAccount(() => 0);
    await answer(account, ledger, 30);
    expect(ledger.budget).toBe(970);
  });

  test("is never overdrawn by answers at the same time, and is used to within one answer", async () => {
    const ledger = new FakeLedger(1000);
    const account = new AnswerAccount(() => 0);
    const opened = [];
    for (let index = 0; index < 10; index++) opened.push(await account.open(ledger, 100));
    await expect(account.open(ledger, 100)).rejects.toMatchObject({ name: "OverBudget" });
    for (const each of opened) {
      account.count(100);
      await account.close(ledger, each);
    }
    expect(ledger.budget).toBe(0);
    await expect(account.open(ledger, 100)).rejects.toMatchObject({ name: "OverBudget" });
  });

  test("is asked once a second in a flood beyond it, except by questions that need less", async () => {
    let now = 5000;
    const ledger = new FakeLedger(50);
    const account = new AnswerAccount(() => now);
    const refused = (most: number) => expect(account.open(ledger, most)).rejects.toMatchObject({ name: "OverBudget" });
    for (let index = 0; index < 100; index++) await refused(100);
    expect(ledger.calls).toBe(1);
    now += 1000;
    for (let index = 0; index < 100; index++) await refused(100);
    expect(ledger.calls).toBe(2);
    expect(await account.open(ledger, 40)).toMatchObject({ reserved: 40 });
  });

  test("is asked once for many answers of a busy isolate", async () => {
    const ledger = new FakeLedger();
    const account = new AnswerAccount(() => 0);
    const first = await account.open(ledger, 100);
    for (let index = 0; index < 48; index++) await answer(account, ledger, 100);
    expect([ledger.calls, ledger.booked]).toEqual([1, []]);
    await answer(account, ledger, 100);
    expect([ledger.calls, ledger.booked.map(({ answers }) => answers)]).toEqual([2, [50]]);
    await account.close(ledger, first);
    expect(ledger.calls).toBe(3);
  });

  test("gets back what an answer has kept that was cut off with its invocation", async () => {
    let now = 0;
    const ledger = new FakeLedger(1000);
    const account = new AnswerAccount(() => now);
    await account.open(ledger, 400);
    await answer(account, ledger, 100);
    expect([ledger.budget, ledger.booked]).toEqual([0, []]);
    now += 60_000;
    await answer(account, ledger, 100);
    expect(ledger.budget).toBe(800);
    expect(ledger.booked.map(({ answers }) => answers)).toEqual([3]);
  });

  test("does not hold answers back while the ledger is down, which later pays for them", async () => {
    const ledger = new FakeLedger(1000);
    const account = new AnswerAccount(() => 0);
    ledger.failures = 2;
    await answer(account, ledger, 60);
    expect(ledger.budget).toBe(1000);
    await answer(account, ledger, 10);
    expect(ledger.budget).toBe(1000 - 60 - 10);
  });

  test("of a day ends with the day", async () => {
    const ledger = new FakeLedger(1000);
    let now = Date.parse("2026-12-01T23:59:59Z");
    const account = new AnswerAccount(() => now);
    const first = await account.open(ledger, 100);
    expect(ledger.budget).toBe(0);
    now += 2000;
    await expect(account.open(ledger, 100)).rejects.toMatchObject({ name: "OverBudget" });
    await account.close(ledger, first);
    // The rest of yesterday's slice is not added to today's budget.
    expect(ledger.budget).toBe(0);
  });
});
