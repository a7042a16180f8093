/** The fake account's answers about Workers, their versions, secrets and Workflows. */
import {
  ACCOUNT_ID,
  FILES_TOKENS,
  jsonOf,
  Refused,
  type Answer,
  type Call,
  type FakeAccount,
  type Metadata,
  type Route,
} from "./fake-account.ts";

export const workerRoutes = (account: FakeAccount): readonly Route[] => [
  ["GET", /^\/(?:memberships)$/, () => ({ result: [{ id: "m", account: { id: ACCOUNT_ID, name: "fake" } }] })],
  ["GET", /^\/accounts$/, () => ({ result: [{ id: ACCOUNT_ID, name: "fake" }] })],
  [
    "GET",
    /^\/workers\/subdomain$/,
    () => {
      if (account.subdomain === null) throw new Refused(404, 10007, "You do not have a workers.dev subdomain.");
      return { result: { subdomain: account.subdomain } };
    },
  ],
  ["GET", /^\/workers\/scripts$/, () => ({ result: [...account.scripts.keys()].map((id) => ({ id })) })],
  [
    "GET",
    /^\/workers\/services\/([^/]+)$/,
    ({ params: [name] }) => {
      account.script(name);
      return {
        result: { default_environment: { environment: "production", script: { tag: name, tags: null, last_deployed_from: "wrangler" } } },
      };
    },
  ],
  [
    "GET",
    /^\/workers\/scripts\/([^/]+)\/secrets$/,
    ({ params: [name] }) => ({
      result: [...account.script(name).secrets.keys()].map((secret) => ({ name: secret, type: "secret_text" })),
    }),
  ],
  [
    "GET",
    /^\/workers\/scripts\/([^/]+)\/settings$/,
    ({ params: [name] }) => ({ result: { bindings: account.script(name).metadata.bindings ?? [] } }),
  ],
  ["PATCH", /^\/workers\/scripts\/([^/]+)\/script-settings$/, () => ({ result: {} })],
  ["GET", /^\/workers\/scripts\/([^/]+)\/subdomain$/, ({ params: [name] }) => ({ result: account.script(name).subdomain })],
  [
    "POST",
    /^\/workers\/scripts\/([^/]+)\/subdomain$/,
    ({ params: [name], body }) => ({ result: Object.assign(account.script(name).subdomain, jsonOf(body)) }),
  ],
  [
    "GET",
    /^\/workers\/workers\/([^/]+)$/,
    ({ params: [name] }) => ({ result: { id: name, name, subdomain: account.script(name).subdomain, references: {} } }),
  ],
  ["PUT", /^\/workers\/scripts\/([^/]+)\/schedules$/, () => ({ result: { schedules: [] } })],
  ["GET", /^\/workers\/scripts\/([^/]+)\/versions$/, ({ params: [name] }) => ({ result: { items: account.script(name).versions } })],
  [
    "GET",
    /^\/workers\/scripts\/([^/]+)\/deployments$/,
    ({ params: [name] }) => ({
      result: {
        deployments: [
          {
            id: account.uuid(),
            created_on: "2026-12-01T00:00:00Z",
            source: "api",
            strategy: "percentage",
            author_email: "x",
            annotations: {},
            versions: [{ version_id: account.script(name).live, percentage: 100 }],
          },
        ],
      },
    }),
  ],
  [
    "POST",
    /^\/workers\/scripts\/([^/]+)\/deployments$/,
    ({ params: [name], body, query }) => {
      const script = account.script(name);
      if (script.changedSecret !== undefined && query.get("force") !== "true")
        throw new Refused(400, 10_220, `The following secrets have changed: ${script.changedSecret}`);
      const wanted = jsonOf<{ versions: { version_id: string }[] }>(body).versions[0]!.version_id;
      if (!script.versions.some(({ id }) => id === wanted)) throw new Refused(404, 10_216, "version not found");
      script.live = wanted;
      return { result: { id: account.uuid() } };
    },
  ],
  // Static files: the answer to a session lists the missing files. The next request uploads these files, each named by its hash.
  [
    "POST",
    /^\/workers\/scripts\/([^/]+)\/assets-upload-session$/,
    ({ body }) => {
      const { manifest } = jsonOf<{ manifest: Record<string, { hash: string }> }>(body);
      const missing = Object.values(manifest).flatMap(({ hash }) => (account.staticFiles.has(hash) ? [] : [hash]));
      if (missing.length === 0) return { result: { jwt: FILES_TOKENS.uploaded, buckets: [] } };
      return { result: { jwt: FILES_TOKENS.upload, buckets: [missing] } };
    },
  ],
  [
    "POST",
    /^\/workers\/assets\/upload$/,
    ({ body, type }) => {
      for (const hash of Object.keys(formParts(body, type))) account.staticFiles.add(hash);
      return { result: { jwt: FILES_TOKENS.uploaded } };
    },
  ],
  // A first upload serves at once. Later versions are uploaded first and deployed afterwards by wrangler.
  ["PUT", /^\/workers\/scripts\/([^/]+)$/, (call) => upload(account, call, true)],
  ["POST", /^\/workers\/scripts\/([^/]+)\/versions$/, (call) => upload(account, call, false)],
  [
    "DELETE",
    /^\/workers\/scripts\/([^/]+)$/,
    ({ params: [name] }) => {
      account.script(name);
      if ([...account.queues.values()].some(({ consumers }) => consumers.some(({ script }) => script === name)))
        throw new Refused(403, 10_064, "Cannot delete this Worker as it is a consumer for a Queue.");
      account.scripts.delete(name!);
      return { result: null };
    },
  ],
  [
    "GET",
    /^\/workflows\/([^/]+)$/,
    ({ params: [name] }) => {
      const found = account.workflows.get(name!);
      if (found === undefined) throw new Refused(404, 10_200, "workflow not found");
      return { result: found };
    },
  ],
  [
    "PUT",
    /^\/workflows\/([^/]+)$/,
    ({ params: [name], body }) => {
      account.workflows.set(name!, { ...jsonOf<{ script_name: string }>(body), name: name! });
      return { result: { id: account.uuid(), name } };
    },
  ],
  ["DELETE", /^\/workflows\/([^/]+)$/, ({ params: [name] }) => ({ result: { success: account.workflows.delete(name!) } })],
];

function upload(account: FakeAccount, { params: [name], body, type }: Call, isLive: boolean): Answer {
  const { metadata = "{}", ...files } = formParts(body, type);
  const id = account.upload(name!, JSON.parse(metadata) as Metadata, new Map(Object.entries(files)), isLive);
  const resources = { script: { etag: id, handlers: ["fetch"] }, script_runtime: {}, bindings: [] };
  return { result: { id, deployment_id: id, startup_time_ms: 10, has_preview: false, metadata: { has_preview: false }, resources } };
}

/** The parts of a multipart form by name. */
function formParts(body: Buffer, type: string): Record<string, string> {
  const boundary = /boundary="?([^";]+)/.exec(type)?.[1];
  if (boundary === undefined) return {};
  const parts = body.toString("latin1").split(`--${boundary}`);
  return Object.fromEntries(
    parts.flatMap((part) => {
      const name = /name="([^"]+)"/.exec(part)?.[1];
      return name === undefined ? [] : [[name, part.slice(part.indexOf("\r\n\r\n") + 4).replace(/\r\n$/, "")]];
    }),
  );
}
