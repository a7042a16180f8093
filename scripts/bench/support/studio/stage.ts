/**
 * Serves the built Studio with a made run of 10,000 rounds, so that the page's own work is measured and no training beside it. The
 * caller decides when the curve is answered and when a round arrives.
 */
import { readFileSync } from "node:fs";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join } from "node:path";
import type { Curve } from "../../../../shared/contracts/curve.ts";
import { runStatusSchema, type RunTick, type TickEvent } from "../../../../shared/contracts/runs.ts";
import { STUDIO } from "../../../build/studio.ts";
import { lossAt, ROUNDS } from "./long-run.ts";

const POINTS = 400;
const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
};

const tick: RunTick = {
  id: "long",
  state: "training",
  progress: { stage: "training", done: ROUNDS, total: 2 * ROUNDS },
  round: ROUNDS,
  rounds: 2 * ROUNDS,
  shards: 2,
  finished: 0,
  tokens: 1000 * ROUNDS,
  totalTokens: 2000 * ROUNDS,
  tokensPerSecond: 5000,
  secondsLeft: 2000,
  valLoss: null,
  unigramLoss: 5.5,
  trigramLoss: 3,
  parameters: 1_000_000,
  vocabSize: 1024,
  loss: lossAt(ROUNDS - 1),
  trainers: 2,
  dataset: null,
};
/** As the gateway gives it, with every field. */
const status = runStatusSchema.parse({ ...tick, trainers: [], error: null, preset: "small", trainingSeconds: 3000, cents: 1 });

const pointOf = (round: number) => ({ round, loss: lossAt(round) });

function curve(): Curve {
  const every = ROUNDS / POINTS;
  const stretches = Array.from({ length: POINTS }, (_, index) => {
    const losses = Array.from({ length: every }, (__, at) => lossAt(index * every + at));
    const mean = losses.reduce((sum, loss) => sum + loss, 0) / every;
    const round = (index + 1) * every - 1;
    return { round, low: Math.min(...losses), mean, high: Math.max(...losses), at: 1000 * round };
  });
  return { run: tick.id, stretches, every, first: pointOf(0), last: pointOf(ROUNDS - 1) };
}

const json = (response: ServerResponse, value: unknown) =>
  response.setHeader("content-type", "application/json").end(JSON.stringify(value));

export async function openStage() {
  const held: ServerResponse[] = [];
  let watcher: ServerResponse | null = null;
  const answers: Readonly<Record<string, (response: ServerResponse) => void>> = {
    "/session": (response) => json(response, { operator: true, expiresAt: null }),
    "/runs": (response) => json(response, [status]),
    "/runs/long": (response) => json(response, status),
    "/runs/long/curve": (response) => held.push(response),
    "/events": (response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      watcher = response;
      push(tick);
    },
  };
  const push = (event: TickEvent) => watcher?.write(`event: tick\ndata: ${JSON.stringify(event)}\n\n`);
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://stage");
    const answer = answers[pathname];
    if (answer !== undefined) return answer(response);
    const file = extname(pathname) === "" ? `${pathname}.html` : pathname;
    response.setHeader("content-type", TYPES[extname(file)] ?? "text/plain").end(readFileSync(join(STUDIO, file)));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/studio/training?run=long`,
    /** True when the page has asked for its curve. */
    isAsked: () => held.length > 0,
    answerCurve: () => {
      for (const response of held.splice(0)) json(response, curve());
    },
    push: (round: number) => push({ round: round + 1, loss: lossAt(round), losses: [[round, lossAt(round)]] }),
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
