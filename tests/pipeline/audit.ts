/**
 * Finds out from the traces that workerd writes locally how much each kind of invocation did. An invocation is a span with its
 * own invocation id. The spans below it, up to the next invocation, are its work.
 */
import { z } from "zod";

const spanSchema = z.object({
  trace_id: z.string(),
  span_id: z.string(),
  parent_id: z.string().nullable(),
  service: z.string().nullable(),
  name: z.string(),
  attributes: z.string().nullable(),
});
const answerSchema = z.object({
  result: z.object({ columns: z.array(z.string()), rows: z.array(z.array(z.union([z.string(), z.number(), z.null()]))) }),
});

type Attributes = Record<string, string | number | boolean | null>;

export interface Span {
  key: string;
  parent: string;
  service: string;
  name: string;
  attributes: Attributes;
}

/** The rows that one query to the trace store returns at most. */
const PAGE_ROWS = 10_000;

/** The path of wrangler's local trace store. It takes queries as POST {"sql"}. */
export const TRACES = "/cdn-cgi/explorer/api/local/observability/query";

/** Reads all spans of a trace store. `query` sends a query and returns the answer. */
export async function readSpans(query: (sql: string) => Promise<unknown>): Promise<Span[]> {
  const spans: Span[] = [];
  for (;;) {
    const sql = `SELECT trace_id, span_id, parent_id, service, name, json(attributes) AS attributes FROM spans
      ORDER BY trace_id, span_id LIMIT ${PAGE_ROWS} OFFSET ${spans.length}`;
    const { columns, rows } = answerSchema.parse(await query(sql)).result;
    for (const row of rows) {
      const span = spanSchema.parse(Object.fromEntries(columns.map((column, index) => [column, row[index]])));
      spans.push({
        key: `${span.trace_id} ${span.span_id}`,
        parent: `${span.trace_id} ${span.parent_id ?? ""}`,
        service: (span.service ?? "").replace(/^tiffin-/, ""),
        name: span.name,
        attributes: JSON.parse(span.attributes ?? "{}") as Attributes,
      });
    }
    if (rows.length < PAGE_ROWS) return spans;
  }
}

/** The largest numbers of all invocations of one kind. */
export interface Counts {
  /** Requests to storage, queues, objects, the web, and other Workers. */
  subrequests: number;
  /**
   * Invocations of Workers through service bindings, by this invocation and by all Workers that it called directly or indirectly.
   */
  workerCalls: number;
  sqlRows: number;
  d1Rows: number;
  /** The size of the largest object that the invocation read or wrote. */
  objectBytes: number;
}

const NOTHING: Counts = { subrequests: 0, workerCalls: 0, sqlRows: 0, d1Rows: 0, objectBytes: 0 };
const countOf = (attributes: Attributes, ...names: string[]) => names.reduce((sum, name) => sum + Number(attributes[name] ?? 0), 0);

export function audit(spans: readonly Span[]): Map<string, Counts> {
  const byKey = new Map(spans.map((span) => [span.key, span]));
  const parentOf = (span: Span) => byKey.get(span.parent);
  const isInvocation = ({ attributes }: Span) => attributes["faas.invocation_id"] !== undefined;
  /** True if the caller was the stub of an object, not a service binding. */
  const isObjectCall = (session: Span) => parentOf(session)?.name === "durable_object_subrequest";
  const invocationOf = (span: Span): Span | undefined => {
    let above = parentOf(span);
    while (above !== undefined && !isInvocation(above)) above = parentOf(above);
    return above;
  };
  /** The session (span) through which an invocation was called. */
  const sessionOf = (invocation: Span): Span | undefined => {
    let above = parentOf(invocation);
    while (above !== undefined && above.name !== "jsRpcSession" && !isInvocation(above)) above = parentOf(above);
    return above?.name === "jsRpcSession" ? above : undefined;
  };
  /**
   * Invocations that used storage. Only objects have storage, so this finds the objects even if the store has lost the span of
   * the stub's call.
   */
  const usesStorage = new Set<Span>();
  const kindOf = (invocation: Span): string => {
    const session = sessionOf(invocation);
    const isOfObject = usesStorage.has(invocation) || (session !== undefined && isObjectCall(session));
    if (invocation.name === "jsrpc") return isOfObject ? "object call" : "call";
    return invocation.attributes["faas.trigger"] === "http" ? "request" : invocation.name;
  };
  const counts = new Map<string, Counts>();
  const own = new Map<Span, Counts>();
  const countsOf = (invocation: Span) => own.get(invocation) ?? own.set(invocation, { ...NOTHING }).get(invocation)!;
  for (const span of spans) {
    if (isInvocation(span)) countsOf(span);
    const invocation = invocationOf(span);
    if (invocation === undefined) continue;
    const mine = countsOf(invocation);
    const { name, attributes } = span;
    if (name.startsWith("durable_object_storage_")) usesStorage.add(invocation);
    const isStorage = /^(r2|d1|kv)_/.test(name) || name === "queue_send" || name === "durable_object_subrequest";
    const isFetch = name === "fetch" && !(parentOf(span)?.name ?? "").startsWith("d1_");
    const isWorkerSession = name === "jsRpcSession" && !isObjectCall(span);
    if (isStorage || isFetch || isWorkerSession) mine.subrequests++;
    mine.sqlRows += countOf(attributes, "cloudflare.durable_object.response.rows_read", "cloudflare.durable_object.response.rows_written");
    mine.d1Rows += countOf(attributes, "cloudflare.d1.response.rows_read", "cloudflare.d1.response.rows_written");
    mine.objectBytes = Math.max(mine.objectBytes, countOf(attributes, "cloudflare.r2.response.size"));
    if (!isWorkerSession) continue;
    for (let above: Span | undefined = invocation; above !== undefined; above = invocationOf(above)) countsOf(above).workerCalls++;
  }
  for (const [invocation, mine] of own) {
    const kind = `${invocation.service}: ${kindOf(invocation)}`;
    const most = counts.get(kind) ?? { ...NOTHING };
    for (const name of Object.keys(most) as (keyof Counts)[]) most[name] = Math.max(most[name], mine[name]);
    counts.set(kind, most);
  }
  return counts;
}
