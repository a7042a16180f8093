/** The ledger's parts with a database in memory: daily budgets, progress in the counters, alerts, and the text of the metrics. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { RunReport } from "../../../shared/costs/reports.ts";
import { Alerts, refusalOfWebhook } from "../../../workers/coordinator/alerts.ts";
import { Budgets, limitOf } from "../../../workers/coordinator/budgets.ts";
import { Counters } from "../../../workers/coordinator/counters.ts";
import { exposition } from "../../../workers/coordinator/prometheus.ts";
import { RunProgress, STALL_MS } from "../../../workers/coordinator/run-progress.ts";
import { storage } from "./storage.ts";

const WEBHOOK = "https://hooks.example.com/a";
const NOON = Date.parse("2026-12-01T12:00:00Z");
const HOUR_MS = 3_600_000;
let sql: SqlStorage;
beforeEach(() => {
  ({ sql } = storage().asStorage);
  vi.spyOn(console, "warn").mockImplementation(() => undefined);
  vi.spyOn(console, "error").mockImplementation(() => undefined);
});
afterEach(() => {
  vi.restoreAllMocks();
});

describe("a budget", () => {
  test.each([
    ["off", null],
    ["0", 0],
    ["12.5", 12.5],
    [" 7 ", 7],
    ["", 0],
    ["-1", 0],
    ["many", 0],
    ["Infinity", 0],
  ])("of %j is %j: what is no number lets nothing be spent", (setting, limit) => {
    expect(limitOf(setting)).toBe(limit);
  });

  test("is spent, given back, and new at midnight UTC", () => {
    const budgets = new Budgets(sql, { answerTokens: 100, trainingCents: null });
    budgets.spend("answerTokens", 70, NOON);
    budgets.spend("answerTokens", 50, NOON);
    expect([budgets.state("answerTokens", NOON).spent, budgets.left("answerTokens", NOON)]).toEqual([120, 0]);
    budgets.spend("answerTokens", -40, NOON);
    expect(budgets.left("answerTokens", NOON + 11.9 * HOUR_MS)).toBe(20);
    expect(budgets.left("answerTokens", NOON + 12 * HOUR_MS)).toBe(100);
    budgets.spend("answerTokens", -40, NOON + 12 * HOUR_MS);
    expect(budgets.left("answerTokens", NOON + 12 * HOUR_MS)).toBe(100);
    expect(budgets.left("trainingCents", NOON)).toBe(Infinity);
  });
});

const REPORT: RunReport = {
  run: "r",
  usage: {},
  round: 3,
  tokens: 300,
  refused: 1,
  queueAgeMs: 2500,
  position: "training 3",
  isOpen: true,
  error: null,
};

function parts() {
  const counters = new Counters(sql);
  const alerts = new Alerts(sql);
  return { counters, alerts, progress: new RunProgress(sql, counters, alerts) };
}

describe("a run's reports", () => {
  test("are counted once, however often they come", () => {
    const { counters, progress } = parts();
    progress.note(REPORT, NOON);
    progress.note(REPORT, NOON);
    progress.note({ ...REPORT, round: 5, tokens: 500, refused: 4, position: "training 5" }, NOON);
    expect(counters.all()).toEqual({
      tiffin_rounds_total: 5,
      tiffin_trained_tokens_total: 500,
      tiffin_refused_submissions_total: 4,
      tiffin_steps_queue_age_seconds: 2.5,
    });
  });

  test("after a rollback do not count rounds down", () => {
    const { counters, progress } = parts();
    for (const round of [5, 2, 4]) progress.note({ ...REPORT, round, position: `training ${round}` }, NOON);
    expect(counters.all()["tiffin_rounds_total"]).toBe(5 + 2);
  });

  test("without progress raise one alert, after half an hour in which the run could have worked", () => {
    const { alerts, progress } = parts();
    progress.note(REPORT, NOON);
    progress.note({ ...REPORT, isOpen: false }, NOON + STALL_MS);
    progress.note(REPORT, NOON + STALL_MS);
    progress.note(REPORT, NOON + 2 * STALL_MS - 1);
    expect(alerts.unsent()).toBe(0);
    for (const later of [0, 1000]) progress.note(REPORT, NOON + 2 * STALL_MS + later);
    expect(alerts.unsent()).toBe(1);
  });

  test("of a failure raise one alert", () => {
    const { alerts, progress } = parts();
    for (let time = 0; time < 2; time++) progress.note({ ...REPORT, isOpen: false, error: "no corpus" }, NOON);
    expect(alerts.unsent()).toBe(1);
  });
});

describe("an alert", () => {
  test("is told once, as JSON, and not through a redirect", async () => {
    const alerts = new Alerts(sql);
    const sent: [string, RequestInit][] = [];
    const send = async (address: string, init: RequestInit) => {
      sent.push([address, init]);
      return new Response(null, { status: 204 });
    };
    alerts.raise("a", "it happened", NOON);
    alerts.raise("a", "it happened again", NOON);
    for (let time = 0; time < 2; time++) await alerts.send(WEBHOOK, send);
    expect(sent.map(([address, { redirect }]) => [address, redirect])).toEqual([[WEBHOOK, "manual"]]);
    const body = JSON.parse(String(sent[0]![1].body)) as object;
    expect(body).toEqual({ text: "Tiffin: it happened", name: "a", message: "it happened", at: "2026-12-01T12:00:00.000Z" });
    expect(alerts.unsent()).toBe(0);
  });

  test.each([
    ["an error", async () => new Response("no", { status: 500 })],
    ["a redirect", async () => new Response(null, { status: 302, headers: { location: "http://127.0.0.1/" } })],
    [
      "no answer",
      async () => {
        throw new Error("unreachable");
      },
    ],
  ])("is tried five times against %s", async (_, send) => {
    const alerts = new Alerts(sql);
    let tries = 0;
    alerts.raise("a", "it happened", NOON);
    for (let minute = 0; minute < 7; minute++) {
      await alerts.send(WEBHOOK, () => {
        tries++;
        return send();
      });
    }
    expect([tries, alerts.unsent()]).toEqual([5, 0]);
  });

  test("waits while there is no webhook, or an address that is refused", async () => {
    const alerts = new Alerts(sql);
    alerts.raise("a", "it happened", NOON);
    for (const address of ["", "http://hooks.example.com/", "https://127.0.0.1/"]) {
      await alerts.send(address, () => {
        throw new Error("expected no request");
      });
    }
    expect(alerts.unsent()).toBe(1);
  });

  test.each([
    "http://hooks.example.com/",
    "https://localhost/",
    "https://10.0.0.1/",
    "https://0x7f000001/",
    "https://[::1]/",
    "https://169.254.169.254/latest",
    "https://user:secret@hooks.example.com/",
    "https://hooks.example.com:8443/",
    "file:///etc/passwd",
    "no address",
  ])("cannot go to %s", (address) => {
    expect(refusalOfWebhook(address)).not.toBeNull();
    expect(refusalOfWebhook(WEBHOOK)).toBeNull();
  });
});

describe("the metrics", () => {
  test("are grouped under their descriptions", () => {
    const text = exposition({
      tiffin_rounds_total: 3,
      'tiffin_answer_seconds_bucket{le="0.1"}': 1,
      'tiffin_answer_seconds_bucket{le="+Inf"}': 2,
      tiffin_answer_seconds_count: 2,
      tiffin_answer_seconds_sum: 1.5,
      'tiffin_dead_letters_total{queue="crawl"}': 4,
    });
    expect(text.split("\n")).toEqual([
      expect.stringContaining("# HELP tiffin_rounds_total "),
      "# TYPE tiffin_rounds_total counter",
      "tiffin_rounds_total 3",
      expect.stringContaining("# HELP tiffin_dead_letters_total "),
      "# TYPE tiffin_dead_letters_total counter",
      'tiffin_dead_letters_total{queue="crawl"} 4',
      expect.stringContaining("# HELP tiffin_answer_seconds "),
      "# TYPE tiffin_answer_seconds histogram",
      'tiffin_answer_seconds_bucket{le="0.1"} 1',
      'tiffin_answer_seconds_bucket{le="+Inf"} 2',
      "tiffin_answer_seconds_count 2",
      "tiffin_answer_seconds_sum 1.5",
      "",
    ]);
  });

  test("without a description are refused", () => {
    expect(() => exposition({ unknown_total: 1 })).toThrow("expected a described name, got unknown_total");
  });
});
