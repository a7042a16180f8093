/**
 * The state of a fake Cloudflare account, and the rules that decide whether a deployment works: bindings must resolve. Each
 * error has Cloudflare's code.
 */

import type { DatabaseSync } from "node:sqlite";

export const ACCOUNT_ID = "f".repeat(32);

export interface Binding {
  type: string;
  name: string;
  service?: string;
  bucket_name?: string;
  queue_name?: string;
  id?: string;
  namespace_id?: string;
  text?: string;
}

export interface Metadata {
  bindings?: Binding[];
  annotations?: Record<string, string>;
  limits?: { cpu_ms?: number };
  observability?: { enabled?: boolean };
  assets?: { jwt?: string };
}

/** A deploy uploads static files with the token `upload`. With the token `uploaded`, a Worker then names the uploaded files. */
export const FILES_TOKENS = { upload: "e30.e30.upload", uploaded: "e30.e30.uploaded" } as const;

export interface FakeVersion {
  id: string;
  number: number;
  metadata: { created_on: string };
  annotations: Record<string, string>;
}

export interface FakeScript {
  secrets: Map<string, string>;
  /** A secret that `wrangler secret put` has changed after the last deploy. */
  changedSecret?: string;
  versions: FakeVersion[];
  /** The id of the version that serves. */
  live: string;
  metadata: Metadata;
  /** The uploaded modules and source maps by name. */
  files: Map<string, string>;
  subdomain: { enabled: boolean; previews_enabled: boolean };
}

export interface FakeQueue {
  queue_id: string;
  queue_name: string;
  consumers: { consumer_id: string; script: string; dead_letter_queue?: string }[];
}

export interface FakeDatabase {
  uuid: string;
  name: string;
  sqlite: DatabaseSync;
  /** The file of an export or import in progress. */
  file: string;
}

export class Refused extends Error {
  readonly status: number;
  readonly code: number;

  constructor(status: number, code: number, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** One request: path parameters, query, body and content type. */
export interface Call {
  params: string[];
  query: URLSearchParams;
  body: Buffer;
  type: string;
  /** The fake's own address. */
  origin: string;
}

/** Either a result, with the cursor of a list, or bytes that are sent unchanged. */
export type Answer = { result: unknown; info?: unknown } | { bytes: Buffer; etag?: string };

export type Route = readonly [method: string, path: RegExp, answer: (call: Call) => Answer];

export const jsonOf = <T>(body: Buffer): T => JSON.parse(body.toString("utf8")) as T;

export class FakeAccount {
  readonly scripts = new Map<string, FakeScript>();
  readonly buckets = new Map<string, Map<string, Buffer>>();
  readonly queues = new Map<string, FakeQueue>();
  readonly databases = new Map<string, FakeDatabase>();
  readonly workflows = new Map<string, { name: string; script_name: string }>();
  subdomain: string | null = "fake";
  /** Hashes of uploaded static files. */
  readonly staticFiles = new Set<string>();
  /** Uploads of these Workers fail. */
  readonly broken = new Set<string>();
  #count = 0;

  /** Adds a Worker that was deployed without Tiffin. */
  addForeign(name: string): void {
    this.upload(name, {}, new Map());
  }

  id(): string {
    return (++this.#count).toString(16).padStart(32, "0");
  }

  uuid(): string {
    return `00000000-0000-4000-8000-${(++this.#count).toString(16).padStart(12, "0")}`;
  }

  script(name: string | undefined): FakeScript {
    const found = this.scripts.get(name ?? "");
    if (found === undefined) throw new Refused(404, 10007, "This Worker does not exist on your account.");
    return found;
  }

  /** Adds a version and returns its id. The version serves at once if `isLive`; otherwise a deployment must follow. */
  upload(name: string, metadata: Metadata, files: Map<string, string>, isLive = true): string {
    if (metadata.assets !== undefined && metadata.assets.jwt !== FILES_TOKENS.uploaded)
      throw new Refused(400, 10_021, "assets: expected the token of a completed upload");
    if (this.broken.has(name)) throw new Refused(500, 10_013, "workers.api.error.unknown");
    const known = this.scripts.get(name);
    const secrets = new Map(known?.secrets);
    for (const { type, name: binding, text } of metadata.bindings ?? []) if (type === "secret_text") secrets.set(binding, text ?? "");
    // An inherited binding is copied from the last version.
    const before = new Map(known?.metadata.bindings?.map((binding) => [binding.name, binding]));
    const inherited = (binding: Binding) => (binding.type === "inherit" ? (before.get(binding.name) ?? binding) : binding);
    metadata.bindings = metadata.bindings?.map(inherited) ?? [];
    for (const binding of metadata.bindings) this.checkBinding(binding, secrets);
    const id = this.uuid();
    const number = (known?.versions.length ?? 0) + 1;
    const created = new Date(Date.UTC(2026, 11, 1) + 1000 * ++this.#count).toISOString();
    const version = { id, number, metadata: { created_on: created }, annotations: metadata.annotations ?? {} };
    const subdomain = known?.subdomain ?? { enabled: false, previews_enabled: false };
    this.scripts.set(name, {
      secrets,
      versions: [version, ...(known?.versions ?? [])],
      live: isLive ? id : (known?.live ?? id),
      metadata,
      files,
      subdomain,
    });
    return id;
  }

  /** What `wrangler secret put` does: a new live version of the same code, without a tag. */
  putSecret(name: string, secret: string, value: string): void {
    const script = this.script(name);
    const id = this.uuid();
    const created = new Date(Date.UTC(2026, 11, 1) + 1000 * ++this.#count).toISOString();
    const annotations = { "workers/triggered_by": "secret" };
    script.versions.unshift({ id, number: script.versions.length + 1, metadata: { created_on: created }, annotations });
    script.live = id;
    script.changedSecret = secret;
    script.secrets.set(secret, value);
  }

  checkBinding({ type, name, service, bucket_name: bucket, queue_name: queue }: Binding, secrets: ReadonlyMap<string, string>): void {
    if (type === "service" && !this.scripts.has(service ?? ""))
      throw new Refused(400, 10143, `Could not resolve service binding '${name}'. Target script '${service}' not found.`);
    if (type === "inherit" && !secrets.has(name)) throw new Refused(400, 10057, `inherit binding '${name}' is invalid`);
    if (type === "r2_bucket" && !this.buckets.has(bucket ?? "")) throw new Refused(400, 10085, `R2 bucket '${bucket}' not found`);
    if (type === "queue" && !this.queues.has(queue ?? "")) throw new Refused(400, 100_100, `Queue '${queue}' not found`);
  }

  bucket(name: string | undefined): Map<string, Buffer> {
    const found = this.buckets.get(name ?? "");
    if (found === undefined) throw new Refused(404, 10006, "The specified bucket does not exist.");
    return found;
  }

  queue(id: string | undefined): FakeQueue {
    const found = [...this.queues.values()].find((queue) => queue.queue_id === id);
    if (found === undefined) throw new Refused(404, 11000, "Queue not found");
    return found;
  }

  database(key: string | undefined): FakeDatabase {
    const found = [...this.databases.values()].find(({ uuid, name }) => uuid === key || name === key);
    if (found === undefined) throw new Refused(404, 7404, "The database could not be found");
    return found;
  }

  /** The names of everything in the account. */
  names(): string[] {
    const kinds: ReadonlyMap<string, unknown>[] = [this.scripts, this.buckets, this.queues, this.databases, this.workflows];
    return kinds.flatMap((kind) => Array.from(kind.keys())).toSorted();
  }
}
