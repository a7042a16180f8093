/**
 * Deployments through the commands that an operator runs, with the real wrangler and the real Workers, against a fake
 * Cloudflare account on loopback. All tests share one account and run in order.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { WORKERS } from "../../../scripts/local/workers.ts";
import { runCommand } from "./command.ts";
import type { FakeScript } from "./fake-account.ts";
import { FakeCloudflare } from "./fake-cloudflare.ts";

/** Far beyond what a slow machine needs: a deploy bundles and uploads seven Workers. */
vi.setConfig({ testTimeout: 900_000 });
const cloud = new FakeCloudflare();
const OPERATOR_TOKEN = "the-first-secret";
const deploy = (...args: string[]) => runCommand(cloud, "deploy", { args: ["--no-smoke", ...args], env: { OPERATOR_TOKEN } });
const workersOf = (prefix: string) => WORKERS.map(({ name }) => [name, cloud.scripts.get(`${prefix}-${name}`)!] as const);
const tagOf = ({ versions, live }: FakeScript) => versions.find(({ id }) => id === live)?.annotations["workers/tag"];

beforeAll(() => cloud.listen());
afterAll(() => cloud.close());
afterEach(() => {
  cloud.changes.length = 0;
});

describe("a deploy changes nothing", () => {
  test("without a valid login", async () => {
    const { status, stderr } = await runCommand(cloud, "deploy", { env: { CLOUDFLARE_API_TOKEN: "wrong" } });
    expect([status, cloud.changes]).toEqual([1, []]);
    expect(stderr).toContain("Authentication error [code: 10000]");
  });

  test("when names are taken, the subdomain is missing or the secret is missing; it shows all problems at once", async () => {
    cloud.addForeign("tiffin-generator");
    cloud.addForeign("another");
    cloud.workflows.set("tiffin-train", { name: "tiffin-train", script_name: "another" });
    cloud.queues.set("tiffin-steps", { queue_id: "1", queue_name: "tiffin-steps", consumers: [{ consumer_id: "2", script: "another" }] });
    cloud.subdomain = null;
    const { status, stderr } = await runCommand(cloud, "deploy");
    expect([status, cloud.changes]).toEqual([1, []]);
    for (const problem of [
      "a Worker tiffin-generator that is not Tiffin's",
      "the Workflow tiffin-train belongs to the Worker another",
      "the Worker another consumes the queue tiffin-steps",
      "no workers.dev subdomain",
      "tiffin-gateway has no secret OPERATOR_TOKEN",
    ])
      expect(stderr).toContain(problem);
    cloud.scripts.delete("tiffin-generator");
    cloud.workflows.clear();
    cloud.queues.clear();
    cloud.subdomain = "fake";
  });
});

test("a first deploy that fails in the middle has migrated before uploading code, and names the Worker that failed", async () => {
  cloud.broken.add("tiffin-coordinator");
  const { status, stderr } = await deploy();
  cloud.broken.clear();
  expect(status).toBe(1);
  expect(stderr).toMatch(/^deploy: coordinator: expected "wrangler deploy/);
  expect(stderr).toContain("npm run deploy");
  expect(cloud.scripts.has("tiffin-tokenizer")).toBe(true);
  expect(cloud.scripts.has("tiffin-gateway")).toBe(false);
  const firstUpload = cloud.changes.findIndex((change) => change.startsWith("PUT /workers/scripts/"));
  expect(cloud.changes.findLastIndex((change) => change.startsWith("POST /d1/"))).toBeLessThan(firstUpload);
});

test("a repeated deploy completes a failed deploy and creates nothing twice", async () => {
  const { status, stdout, stderr } = await deploy();
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  expect(stdout).toContain("tiffin is deployed at https://tiffin-gateway.fake.workers.dev");
  expect(cloud.changes.filter((change) => /^POST \/(r2|queues$|d1\/database$)/.test(change))).toEqual([]);
  expect(new Set(workersOf("tiffin").map(([, script]) => tagOf(script))).size).toBe(1);
  expect(cloud.workflows.get("tiffin-train")?.script_name).toBe("tiffin-coordinator");
  expect(cloud.scripts.get("tiffin-gateway")!.secrets.get("OPERATOR_TOKEN")).toBe(OPERATOR_TOKEN);
  expect(cloud.scripts.get("tiffin-gateway")!.subdomain.enabled).toBe(true);
  for (const [name, { metadata, files, subdomain }] of workersOf("tiffin")) {
    expect(metadata).toMatchObject({ observability: { enabled: true }, limits: { cpu_ms: expect.any(Number) } });
    expect(subdomain).toEqual({ enabled: name === "gateway", previews_enabled: false });
    const bundle = files.get("index.js")!;
    expect([...files.keys()]).toContain("index.js.map");
    // A minified bundle has several statements per line.
    expect(bundle.length / bundle.split("\n").length).toBeGreaterThan(200);
  }
});

test("staging and production share no name, and deploying staging does not change production", async () => {
  const before = workersOf("tiffin").map(([, { live }]) => live);
  const names = cloud.names();
  const { status, stderr } = await deploy("--env", "staging");
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  expect(workersOf("tiffin").map(([, { live }]) => live)).toEqual(before);
  const own = names.filter((name) => name.startsWith("tiffin-"));
  expect(cloud.names()).toEqual([...names, ...own.map((name) => name.replace("tiffin-", "tiffin-staging-"))].toSorted());
  const bound = (prefix: string) =>
    workersOf(prefix).flatMap(([, { metadata }]) =>
      (metadata.bindings ?? []).flatMap(({ service, bucket_name: bucket, queue_name: queue, id, namespace_id: namespace }) =>
        [service, bucket, queue, id, namespace].filter((value) => value !== undefined),
      ),
    );
  const production = new Set(bound("tiffin"));
  expect(production.size).toBeGreaterThan(10);
  expect(bound("tiffin-staging").filter((name) => production.has(name))).toEqual([]);
});

test("a rollback returns each Worker to its previous version, leaves new Workers, and asks before an older secret comes back", async () => {
  const [changed, script] = workersOf("tiffin").find(([, { versions }]) => versions.length > 1)!;
  cloud.putSecret(`tiffin-${changed}`, "WEBHOOK_URL", "https://a.test");
  const { live } = script;
  const refused = await runCommand(cloud, "rollback");
  expect([refused.status, script.live]).toEqual([1, live]);
  expect(refused.stderr).toContain("The following secrets have changed: WEBHOOK_URL");
  expect(refused.stderr).toContain("--old-secrets");
  const accepted = await runCommand(cloud, "rollback", { args: ["--old-secrets"] });
  expect(accepted.status).toBe(0);
  expect(accepted.stdout).toContain(`store newer values with \`npx wrangler secret put NAME --name tiffin-${changed}\``);
  // The first command has returned the Workers before the one with the secret.
  const printed = refused.stdout + accepted.stdout;
  for (const [name, { versions, live: now }] of workersOf("tiffin")) {
    const deployed = versions.filter(({ annotations }) => annotations["workers/tag"] !== undefined);
    const isNew = deployed.length === 1;
    expect(printed).toMatch(isNew ? new RegExp(`tiffin-${name} stays`) : new RegExp(`tiffin-${name} is back at tiffin-`));
    expect(now).toBe(deployed[isNew ? 0 : 1]!.id);
  }
});

describe("destroy", () => {
  test("asks for the deployment's name and deletes nothing after another answer", async () => {
    const { status, stderr } = await runCommand(cloud, "destroy", { input: "tiffin-staging\n" });
    expect([status, cloud.changes]).toEqual([1, []]);
    expect(stderr).toContain("nothing was deleted");
  });

  test("deletes a deployment with its data, and nothing else", async () => {
    for (const key of ["runs/a/parts/1", "runs/a/parts/2", "a b/ü"]) cloud.buckets.get("tiffin-artifacts")!.set(key, Buffer.from("x"));
    expect((await runCommand(cloud, "destroy", { input: "tiffin\n" })).status).toBe(0);
    expect(cloud.names().filter((name) => !name.startsWith("tiffin-staging-"))).toEqual(["another"]);
    expect((await runCommand(cloud, "destroy", { args: ["--env", "staging"], input: "tiffin-staging\n" })).status).toBe(0);
    expect(cloud.names()).toEqual(["another"]);
  });

  test("has sent only requests that the fake account supports", () => {
    expect(cloud.unknown).toEqual([]);
  });

  test("reports that there is nothing to delete", async () => {
    const { status, stderr } = await runCommand(cloud, "destroy");
    expect([status, cloud.changes]).toEqual([1, []]);
    expect(stderr).toContain("expected a deployment named tiffin, found none");
  });
});
