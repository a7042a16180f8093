/** The fake account's answers about queues and R2. */
import { jsonOf, Refused, type FakeAccount, type Route } from "./fake-account.ts";

export const storageRoutes = (account: FakeAccount): readonly Route[] => [
  [
    "GET",
    /^\/queues$/,
    ({ query }) => {
      // wrangler asks for all queues of a Worker at once.
      const names = query.getAll("name");
      return { result: [...account.queues.values()].filter(({ queue_name: name }) => names.length === 0 || names.includes(name)) };
    },
  ],
  [
    "POST",
    /^\/queues$/,
    ({ body }) => {
      const { queue_name: name } = jsonOf<{ queue_name: string }>(body);
      if (account.queues.has(name)) throw new Refused(400, 11_009, `Queue name '${name}' is already taken.`);
      const queue = { queue_id: account.id(), queue_name: name, consumers: [] };
      account.queues.set(name, queue);
      return { result: queue };
    },
  ],
  [
    "DELETE",
    /^\/queues\/([^/]+)$/,
    ({ params: [id] }) => {
      const { queue_name: name } = account.queue(id);
      const isBound = [...account.scripts.values()].some(({ metadata }) =>
        metadata.bindings?.some(({ queue_name: bound }) => bound === name),
      );
      const isDeadLetter = [...account.queues.values()].some(({ consumers }) =>
        consumers.some(({ dead_letter_queue: dead }) => dead === name),
      );
      if (isBound || isDeadLetter) throw new Refused(400, 11_005, `Cannot delete queue '${name}' while it is in use.`);
      account.queues.delete(name);
      return { result: null };
    },
  ],
  ["GET", /^\/queues\/([^/]+)\/consumers$/, ({ params: [id] }) => ({ result: account.queue(id).consumers })],
  [
    "POST",
    /^\/queues\/([^/]+)\/consumers$/,
    ({ params: [id], body }) => {
      const given = jsonOf<{ script_name: string; dead_letter_queue?: string }>(body);
      const consumer = { ...given, consumer_id: account.id(), script: given.script_name };
      account.queue(id).consumers.push(consumer);
      return { result: consumer };
    },
  ],
  ["PUT", /^\/queues\/([^/]+)\/consumers\/([^/]+)$/, ({ body }) => ({ result: jsonOf(body) })],
  [
    "DELETE",
    /^\/queues\/([^/]+)\/consumers\/([^/]+)$/,
    ({ params: [id, consumer] }) => {
      const queue = account.queue(id);
      queue.consumers = queue.consumers.filter(({ consumer_id: known }) => known !== consumer);
      return { result: null };
    },
  ],
  [
    "POST",
    /^\/r2\/buckets$/,
    ({ body }) => {
      const { name } = jsonOf<{ name: string }>(body);
      if (account.buckets.has(name)) throw new Refused(409, 10_004, "The bucket you tried to create already exists, and you own it.");
      account.buckets.set(name, new Map());
      return { result: { name } };
    },
  ],
  ["GET", /^\/r2\/buckets\/([^/]+)$/, ({ params: [name] }) => ({ result: { name, objects: account.bucket(name).size } })],
  [
    "DELETE",
    /^\/r2\/buckets\/([^/]+)$/,
    ({ params: [name] }) => {
      if (account.bucket(name).size > 0) throw new Refused(409, 10_008, "The bucket you tried to delete is not empty.");
      account.buckets.delete(name!);
      return { result: {} };
    },
  ],
  // A page has two objects, so lists have several pages.
  [
    "GET",
    /^\/r2\/buckets\/([^/]+)\/objects$/,
    ({ params: [name], query }) => {
      const cursor = query.get("cursor") ?? "";
      const left = [...account.bucket(name)].filter(([key]) => key > cursor).toSorted(([a], [b]) => (a < b ? -1 : 1));
      const page = left.slice(0, 2);
      return {
        result: page.map(([key, { length: size }]) => ({ key, size })),
        info: { is_truncated: left.length > 2, cursor: page.at(-1)?.[0] ?? "" },
      };
    },
  ],
  [
    "GET",
    /^\/r2\/buckets\/([^/]+)\/objects\/(.+)$/,
    ({ params: [name, key] }) => {
      const bytes = account.bucket(name).get(decodeURIComponent(key!));
      if (bytes === undefined) throw new Refused(404, 10_007, "The specified key does not exist.");
      return { bytes };
    },
  ],
  [
    "PUT",
    /^\/r2\/buckets\/([^/]+)\/objects\/(.+)$/,
    ({ params: [name, key], body }) => ({ result: account.bucket(name).set(decodeURIComponent(key!), body).size }),
  ],
  [
    "DELETE",
    /^\/r2\/buckets\/([^/]+)\/objects\/(.+)$/,
    ({ params: [name, key] }) => ({ result: account.bucket(name).delete(decodeURIComponent(key!)) }),
  ],
];
