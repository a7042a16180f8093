/**
 * `npm run destroy -- [--env staging] [--prefix NAME]`: removes a deployment with all of its data, after the operator has
 * typed its name. Cloudflare requires the order of deletions: a Worker that consumes a queue, a queue that a Worker binds, and
 * a bucket with objects cannot be deleted. Workers, Workflows and consumers of other owners stay.
 */
import { createInterface } from "node:readline/promises";
import { readOptions } from "./cli/options.ts";
import { prefixOf, readDeployment } from "./cloudflare/deployment.ts";
import { login } from "./cloudflare/login.ts";
import { deleteObject, listObjects } from "./cloudflare/objects.ts";
import { isOwn, survey } from "./cloudflare/survey.ts";

const OPTIONS = { env: { type: "string" }, prefix: { type: "string" } } as const;
const prefix = readOptions("npm run destroy -- [--env NAME] [--prefix NAME]", OPTIONS, (values) => prefixOf(values.prefix, values.env));

async function ask(question: string): Promise<string> {
  const input = createInterface({ input: process.stdin, output: process.stdout });
  const answer = new Promise<string>((resolve) => {
    // If standard input ends without a line, the answer is empty.
    input.once("close", () => resolve(""));
    void input.question(question).then(resolve);
  });
  const typed = await answer;
  input.close();
  return typed.trim();
}

try {
  const { api } = await login();
  const deployment = readDeployment(prefix);
  const found = await survey(api, deployment);
  const workers = deployment.workers.filter(({ name }) => isOwn(found, name)).toReversed();
  const workflows = [...found.workflows].filter(([name, owner]) => owner === deployment.resources.workflows.get(name));
  const data = [...found.queues.keys(), ...found.databases.keys(), ...found.buckets];
  const names = [...workers.map(({ name }) => name), ...workflows.map(([name]) => name), ...data];
  if (names.length === 0) throw new Error(`expected a deployment named ${prefix}, found none. Choose it with --env or --prefix.`);
  console.log(`This deletes for good: ${names.join(", ")}`);
  if ((await ask(`Type ${prefix} to go on: `)) !== prefix) throw new Error(`expected ${prefix}, got another answer: nothing was deleted`);
  const own = new Set(workers.map(({ name }) => name));
  for (const { id, consumers } of found.queues.values()) {
    for (const { id: consumer } of consumers.filter(({ worker }) => own.has(worker)))
      await api.send("DELETE", `/queues/${id}/consumers/${consumer}`);
  }
  for (const [name] of workflows) await api.send("DELETE", `/workflows/${name}`);
  // `force` also deletes the Workers' Durable Objects.
  for (const { name } of workers) await api.send("DELETE", `/workers/scripts/${name}?force=true`);
  for (const { id } of found.queues.values()) await api.send("DELETE", `/queues/${id}`);
  for (const id of found.databases.values()) await api.send("DELETE", `/d1/database/${id}`);
  for (const bucket of found.buckets) {
    for await (const { key } of listObjects(api, bucket)) await deleteObject(api, bucket, key);
    await api.send("DELETE", `/r2/buckets/${bucket}`);
  }
  console.log(`${prefix} is deleted`);
} catch (error) {
  console.error(`destroy: ${(error as Error).message}`);
  process.exitCode = 1;
}
