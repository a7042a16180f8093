/** The Workers' configurations: the settings that each must have, and one prefix for all names. */
import { expect, test } from "vitest";
import { readDeployment, type DeployedWorker } from "../../../scripts/cloudflare/deployment.ts";

const { workers, resources } = readDeployment("tiffin");

test.each(workers.map((worker) => [worker.worker, worker] as const))(
  "%s logs, sends source maps, limits its CPU time and has no preview addresses",
  (name, { config }: DeployedWorker) => {
    expect(config).toMatchObject({
      observability: { enabled: true },
      upload_source_maps: true,
      preview_urls: false,
      limits: { cpu_ms: expect.any(Number) },
    });
    // Only the gateway is reachable from the internet.
    expect(config.workers_dev ?? true).toBe(name === "gateway");
    expect([config.route, config.routes]).toEqual([undefined, undefined]);
  },
);

test("every queue with a consumer has a dead-letter queue, and the coordinator consumes it", () => {
  const consumers = workers.flatMap(({ worker, config }) => (config.queues?.consumers ?? []).map((consumer) => ({ worker, consumer })));
  const deadLetters = consumers.flatMap(({ consumer: { dead_letter_queue: dead } }) => dead ?? []);
  expect(deadLetters.length).toBeGreaterThan(1);
  const wrong = consumers.filter(({ worker, consumer: { queue, dead_letter_queue: dead } }) =>
    deadLetters.includes(queue) ? worker !== "coordinator" : dead !== `${queue}-dead`,
  );
  expect(wrong).toEqual([]);
  expect(deadLetters.filter((dead) => !consumers.some(({ consumer: { queue } }) => queue === dead))).toEqual([]);
});

const limitsOf = (all: readonly DeployedWorker[]) =>
  all.flatMap(({ config }) => (config.ratelimits ?? []).map((limit) => limit.namespace_id));

test("all names change with the prefix, so that two deployments share nothing", () => {
  const other = readDeployment("other");
  const namesOf = ({ workers: all, resources: { buckets, queues, databases, workflows } }: typeof other) => [
    ...all.map(({ name }) => name),
    ...buckets,
    ...queues,
    ...databases,
    ...workflows.keys(),
  ];
  expect(namesOf(other)).toEqual(namesOf({ prefix: "tiffin", workers, resources }).map((name) => name.replace(/^tiffin(?=-)/, "other")));
  expect(namesOf(other).filter((name) => !name.startsWith("other-"))).toEqual([]);
  const [ours, theirs] = [limitsOf(workers), limitsOf(other.workers)];
  expect(ours.length).toBeGreaterThan(0);
  expect(new Set([...ours, ...theirs]).size).toBe(2 * ours.length);
});
