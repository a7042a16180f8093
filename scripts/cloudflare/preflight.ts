/**
 * Checks a deployment before its first upload. If there are problems, shows all of them together and changes nothing. These
 * checks replace the questions that wrangler asks in a terminal. Without them, wrangler would find some problems only after four
 * uploads, and would take over another Worker's Workflow with only a warning.
 */
import { z } from "zod";
import type { CloudflareApi } from "./api.ts";
import { roleName, type Deployment } from "./deployment.ts";
import { isOwn, type Survey } from "./survey.ts";

/** The account's workers.dev subdomain; null if none is registered. */
async function subdomainOf(api: CloudflareApi): Promise<string | null> {
  return (await api.find("/workers/subdomain", z.object({ subdomain: z.string() })))?.subdomain ?? null;
}

/** The public address of a deployment. */
export async function addressOf(api: CloudflareApi, deployment: Deployment): Promise<string> {
  return `https://${roleName(deployment, "gateway")}.${await subdomainOf(api)}.workers.dev`;
}

/** The required secrets of a Worker that are neither stored nor in the environment. */
async function missingSecrets(api: CloudflareApi, name: string, required: readonly string[]): Promise<string[]> {
  if (required.length === 0) return [];
  const stored = (await api.find(`/workers/scripts/${name}/secrets`, z.array(z.object({ name: z.string() })))) ?? [];
  return required.filter((secret) => !stored.some((each) => each.name === secret) && (process.env[secret] ?? "") === "");
}

/** The problems of a deployment, each with its remedy. Empty if there are none. */
export async function problemsOf(api: CloudflareApi, deployment: Deployment, found: Survey): Promise<string[]> {
  const { workers, resources } = deployment;
  const another = "choose another name with --prefix";
  const problems: string[] = [];
  if ((await subdomainOf(api)) === null)
    problems.push("the account has no workers.dev subdomain. Open Workers in the Cloudflare dashboard once; it registers one.");
  for (const { name, config } of workers) {
    if (found.workers.has(name) && !isOwn(found, name)) problems.push(`the account has a Worker ${name} that is not Tiffin's: ${another}.`);
    for (const secret of await missingSecrets(api, name, config.secrets?.required ?? []))
      problems.push(`${name} has no secret ${secret}. Set ${secret} in the environment of this command: the first deploy stores it.`);
  }
  for (const [name, owner] of found.workflows) {
    if (owner !== resources.workflows.get(name)) problems.push(`the Workflow ${name} belongs to the Worker ${owner}: ${another}.`);
  }
  const names = new Set(workers.map(({ name }) => name));
  for (const [name, { consumers }] of found.queues) {
    for (const { worker } of consumers.filter((consumer) => !names.has(consumer.worker)))
      problems.push(`the Worker ${worker} consumes the queue ${name}: ${another}.`);
  }
  return problems;
}
