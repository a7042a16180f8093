/**
 * `npm run watch -- RUN [--url URL]`: shows a run live in the terminal, from its server-sent events: loss curve, rate, shards,
 * leases, time left. It only reads, and it ends when the run ends. For a Tiffin on another machine, the environment variable
 * OPERATOR_TOKEN has the operator's token.
 */
import { parseArgs } from "node:util";
import { plot } from "asciichart";
import { EventSourceParserStream } from "eventsource-parser/stream";
import logUpdate from "log-update";
import { z } from "zod";
import { runEventSchema, runStatusSchema, type RunEvent } from "../shared/contracts/runs.ts";
import { duration } from "./cli/progress.ts";
import { Client } from "./local/client.ts";
import { tokenOf } from "./local/reach.ts";
import { runningLocal } from "./local/stack.ts";

const CHART_HEIGHT = 10;
const CHART_COLUMNS = 70;

/** A chart of the loss curve. Neighbouring losses are averaged, so there is at most one point per column. */
function chart(losses: readonly number[]): string {
  const size = Math.max(1, Math.ceil(losses.length / CHART_COLUMNS));
  const points: number[] = [];
  for (let first = 0; first < losses.length; first += size) {
    const part = losses.slice(first, first + size);
    points.push(part.reduce((sum, loss) => sum + loss, 0) / part.length);
  }
  return points.length < 2 ? "" : plot(points, { height: CHART_HEIGHT });
}

function view(status: RunEvent, losses: readonly number[]): string {
  const left = status.secondsLeft === null ? "" : `, ${duration(status.secondsLeft)} left`;
  const rate = status.tokensPerSecond === null ? "" : `, ${status.tokensPerSecond} tokens/s`;
  const leases = status.leases.map(({ shard, trainer, secondsLeft }) => `  shard ${shard}: ${trainer}, ${secondsLeft} s left`);
  const evaluation = status.evaluations.at(-1);
  return [
    `run ${status.id} · ${status.state} · round ${status.round ?? "-"} of ${status.rounds ?? "-"}${rate}${left}`,
    `training loss ${losses.at(-1)?.toFixed(3) ?? "-"}, validation ${evaluation?.valLoss.toFixed(3) ?? "-"} (best ${status.valLoss?.toFixed(3) ?? "-"})`,
    chart(losses),
    `shards done in this round: ${status.finished ?? 0} of ${status.shards ?? "-"}; trainers known: ${status.trainers.length}`,
    ...leases,
    status.error ?? "",
  ].join("\n");
}

try {
  const { values, positionals } = parseArgs({ allowPositionals: true, options: { url: { type: "string" } } });
  const id = positionals[0];
  const { url, token } = values.url === undefined ? runningLocal() : { url: values.url, token: tokenOf(values.url) };
  const client = new Client(url, token);
  if (id === undefined) {
    const runs = await client.call("GET", "/runs", z.array(runStatusSchema));
    throw new Error(`usage: npm run watch -- RUN, one of: ${runs.map((run) => `${run.id} (${run.state})`).join(", ") || "no run yet"}`);
  }
  const first = await client.call("GET", `/runs/${id}`, runStatusSchema);
  const losses = first.losses.map(({ loss }) => loss);
  let round = first.round;
  const response = await fetch(`${url}/runs/${id}/events`, { headers: { authorization: `Bearer ${token}` } });
  if (!response.ok || response.body === null) throw new Error(`GET /runs/${id}/events: expected 200, got ${response.status}`);
  for await (const event of response.body.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream())) {
    if (event.event === "deleted") throw new Error(`run ${id} was deleted`);
    const status = runEventSchema.parse(JSON.parse(event.data));
    if (status.loss !== null && status.round !== round) losses.push(status.loss);
    round = status.round;
    logUpdate(view(status, losses));
  }
  logUpdate.done();
} catch (error) {
  console.error((error as Error).message);
  process.exit(1);
}
