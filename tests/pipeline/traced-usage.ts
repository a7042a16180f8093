/**
 * What the local traces say that a run, the answers and the crawls have used: an independent count beside the ledger's. The
 * traces know the methods of objects, the statements with their rows, and the storage operations.
 */
import type { Usage } from "../../shared/costs/usage.ts";
import type { Span } from "./audit.ts";

/** Methods by which a Run object is called, and the report to the ledger that the run pays for. */
const RUN_CALLS = ["lease", "submit", "release", "status", "prepare", "begin", "branchPoint", "rouse", "bookRun"];
const RUN_TABLES = /\b(kept|rounds|evaluations)\b/;
/** Methods of the objects of the collector that a page takes. */
const PAGE_CALLS = ["visit", "complete", "append", "skip", "setQueued", "finish", "countUnchanged"];

const methodOf = ({ attributes }: Span) => String(attributes["jsrpc.method"] ?? "");
const rows = (spans: readonly Span[], attribute: string) =>
  spans.reduce((sum, { attributes }) => sum + Number(attributes[attribute] ?? 0), 0);

export function tracedUsage(spans: readonly Span[]): Record<"run" | "answers" | "collector", Usage> {
  const of = (service: string, ...names: string[]) => spans.filter((span) => span.service === service && names.includes(span.name));
  const count = (services: readonly string[], ...names: string[]) =>
    services.reduce((sum, service) => sum + of(service, ...names).length, 0);
  const calls = (service: string, methods: readonly string[]) =>
    spans.filter((span) => span.service === service && span.name === "jsrpc" && methods.includes(methodOf(span))).length;
  const statements = (service: string, text: RegExp) =>
    of(service, "durable_object_storage_exec").filter(({ attributes }) => text.test(String(attributes["db.query.text"])));
  const sqlRows = (found: readonly Span[]): Usage => ({
    sqlRowsRead: rows(found, "cloudflare.durable_object.response.rows_read"),
    sqlRowsWritten: rows(found, "cloudflare.durable_object.response.rows_written"),
  });
  // Answers pay for the whole database, with votes.
  const answered = of("feedback", "d1_batch");
  const work = ["coordinator", "trainer", "tokenizer"];
  return {
    // The journey has one run, so all of this work is its.
    run: {
      // A message per task, and the Workflow.
      requests: of("trainer", "queue").length + 1,
      r2ClassA: count(work, "r2_put"),
      r2ClassB: count(work, "r2_get", "r2_head"),
      objectRequests: calls("coordinator", RUN_CALLS) + of("coordinator", "alarm").length,
      ...sqlRows(statements("coordinator", RUN_TABLES)),
    },
    answers: {
      objectRequests: of("generator", "durable_object_subrequest").length,
      d1RowsRead: rows(answered, "cloudflare.d1.response.rows_read"),
      d1RowsWritten: rows(answered, "cloudflare.d1.response.rows_written"),
    },
    collector: {
      requests: of("collector", "queue").length,
      r2ClassA: count(["collector"], "r2_put"),
      objectRequests: calls("collector", PAGE_CALLS) + of("collector", "alarm").length,
      ...sqlRows(statements("collector", /^(?!.*(robots|__miniflare))/s)),
    },
  };
}
