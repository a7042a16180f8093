/** Writes the answer of `GET /metrics`. prometheus.io/docs/instrumenting/exposition_formats/#text-based-format */

interface Metric {
  type: "counter" | "gauge" | "histogram";
  help: string;
}

/** Every metric, by its name without labels. A histogram's buckets, sum and count belong to the histogram's name. */
const METRICS: Readonly<Record<string, Metric>> = {
  tiffin_rounds_total: { type: "counter", help: "Rounds of all runs that became checkpoints." },
  tiffin_trained_tokens_total: { type: "counter", help: "Tokens of those rounds." },
  tiffin_refused_submissions_total: { type: "counter", help: "Submissions of trainers that were refused or came twice." },
  tiffin_steps_queue_age_seconds: { type: "gauge", help: "How long the last message of the queue steps waited for a trainer." },
  tiffin_dead_letters_total: { type: "counter", help: "Messages that a queue gave up." },
  tiffin_answers_total: { type: "counter", help: "Answers that were begun." },
  tiffin_answer_tokens_total: { type: "counter", help: "Tokens that were read and made for answers." },
  tiffin_over_budget_total: { type: "counter", help: "Requests of tokens that were refused because the day's budget was spent." },
  tiffin_answer_seconds: { type: "histogram", help: "From the turn of an answer to its end." },
  tiffin_d1_bytes: { type: "gauge", help: "Size of the database of answers and votes." },
  tiffin_budget_spent: { type: "gauge", help: "Spent of today's budget." },
  tiffin_budget_limit: { type: "gauge", help: "Today's budget; absent without one." },
  tiffin_unsent_alerts: { type: "gauge", help: "Alerts that the webhook has not taken." },
};

const metricOf = (name: string) => name.replace(/\{.*$/, "").replace(/^(tiffin_answer_seconds)_(bucket|sum|count)$/, "$1");

/** Writes values, given by name, in the text format. Throws for a name that METRICS does not have. */
export function exposition(values: Readonly<Record<string, number>>): string {
  const unknown = Object.keys(values).find((name) => METRICS[metricOf(name)] === undefined);
  if (unknown !== undefined) throw new Error(`metrics: expected a described name, got ${unknown}`);
  const lines: string[] = [];
  for (const [metric, { type, help }] of Object.entries(METRICS)) {
    const own = Object.entries(values).filter(([name]) => metricOf(name) === metric);
    if (own.length === 0) continue;
    lines.push(`# HELP ${metric} ${help}`, `# TYPE ${metric} ${type}`);
    for (const [name, value] of own) lines.push(`${name} ${value}`);
  }
  return lines.map((line) => `${line}\n`).join("");
}
