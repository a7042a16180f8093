/**
 * Writes the model card (README.md) and the LICENSE from a model's provenance. Facts that were not recorded appear as "unknown".
 * The licence comes first, because it decides how the weights may be used.
 */
import { sizeLabel } from "./gguf-writer.ts";
import type { OriginSource } from "../artifacts.ts";
import { spdxOf } from "./licences.ts";
import { UNKNOWN_LICENCE, type Provenance } from "./provenance.ts";
import type { PublishedModel } from "./published-model.ts";

/**
 * Assumptions for the energy estimate: the power of a busy core in a data centre, and the emissions of the world's power grid
 * (ember-energy.org, 2024, rounded).
 */
const WATTS_PER_CORE = 10;
const GRAMS_PER_KWH = 475;

/** The card lists only this many sites, those with the most text. provenance.json lists all sites. */
const MAX_SOURCES_SHOWN = 40;

/** Turns text from web sites into a cell of a Markdown table. Characters that could be markup are escaped. */
const cell = (value: string) => value.replaceAll(/[\r\n]+/g, " ").replaceAll(/[<>|`[\]]/g, (character) => `&#${character.charCodeAt(0)};`);

const text = (value: string | number | null, unit = "") => (value === null ? "unknown" : `${value}${unit}`);
const decimals = (value: number | null, digits = 3) => (value === null ? "unknown" : value.toFixed(digits));
const grouped = (value: number | null) => (value === null ? "unknown" : value.toLocaleString("en-US"));
const table = (head: readonly string[], rows: readonly (readonly string[])[]) =>
  [head, head.map(() => "---"), ...rows].map((row) => `| ${row.join(" | ")} |`).join("\n");

const fence = (language: string, ...lines: string[]) => [`\`\`\`${language}`, ...lines, "```"].join("\n");

function energyOf({ training: { computeSeconds } }: Provenance): { wattHours: number; grams: number } | null {
  if (computeSeconds === null) return null;
  const wattHours = (computeSeconds * WATTS_PER_CORE) / 3600;
  return { wattHours, grams: (wattHours / 1000) * GRAMS_PER_KWH };
}

/** Hugging Face knows SPDX identifiers in lower case. Any other licence needs an address or a name. */
function licenceFields(licence: string): string[] {
  if (/^[\w.+-]+$/.test(licence)) return [`license: ${licence.toLowerCase()}`];
  return [
    "license: other",
    URL.canParse(licence) ? `license_link: ${JSON.stringify(licence)}` : `license_name: ${JSON.stringify(licence)}`,
  ];
}

function frontMatter(provenance: Provenance): string {
  const { name, licence, languages, evaluation } = provenance;
  const energy = energyOf(provenance);
  const metrics = (
    [
      ["loss", "Validation loss, nats per token", evaluation.loss],
      ["bits_per_byte", "Bits per byte", evaluation.bitsPerByte],
    ] as const
  ).filter(([, , value]) => value !== null);
  const results =
    metrics.length === 0
      ? []
      : [
          "model-index:",
          `  - name: ${name}`,
          "    results:",
          "      - task:",
          "          type: text-generation",
          "        dataset:",
          "          name: held-out documents of its own corpus",
          `          type: ${provenance.dataset ?? "unknown"}`,
          "        metrics:",
          ...metrics.flatMap(([type, label, value]) => [
            `          - type: ${type}`,
            `            name: ${label}`,
            `            value: ${value}`,
          ]),
        ];
  const emissions =
    energy === null
      ? []
      : [
          "co2_eq_emissions:",
          `  emissions: ${energy.grams.toFixed(4)}`,
          `  source: estimate, ${WATTS_PER_CORE} W per busy core and ${GRAMS_PER_KWH} g per kWh`,
          "  training_type: pre-training",
          "  hardware_used: CPU",
        ];
  return [
    "---",
    ...licenceFields(licence),
    ...(languages.length === 0 ? [] : ["language:", ...languages.map((language) => `  - ${language}`)]),
    "library_name: transformers",
    "pipeline_tag: text-generation",
    "tags:",
    "  - qwen3",
    "  - tiffin",
    ...results,
    ...emissions,
    "---",
  ].join("\n");
}

function licenceSection({ licence, data }: Provenance): string {
  if (licence !== UNKNOWN_LICENCE) return `The weights have the licence of all of their data: ${cell(licence)}.`;
  const reasons =
    data === null || data.origin === null
      ? "the licences of its data were not recorded"
      : data.kind === "sft"
        ? "lessons have no recorded licence"
        : `${grouped(unlicensed(data.origin.sources))} of its ${grouped(data.documents)} documents state no licence, or the documents have several licences`;
  return `**The licence of the weights is unknown**: ${reasons}. Ask the operator of the Tiffin that made it before you pass the weights on.`;
}

const unlicensed = (sources: readonly OriginSource[]) =>
  sources.reduce((sum, { licence, documents }) => sum + (licence === "" ? documents : 0), 0);

function architectureSection({ model, parameters }: Provenance): string {
  const { layers, width, mlpWidth, heads, kvHeads, headWidth, context, vocabSize, tiedEmbeddings, ropeTheta, normEpsilon } = model;
  return [
    `A Qwen3 decoder (RMSNorm, per-head QK-norm, rotary positions, SwiGLU, no biases) of ${grouped(parameters)} parameters (${sizeLabel(parameters)}).`,
    "",
    table(
      ["layers", "width", "MLP", "heads", "key/value heads", "head width", "context", "vocabulary", "tied", "rope theta", "epsilon"],
      [
        [layers, width, mlpWidth, heads, kvHeads, headWidth, context, vocabSize, tiedEmbeddings ? "yes" : "no", ropeTheta, normEpsilon].map(
          String,
        ),
      ],
    ),
  ].join("\n");
}

function trainingSection(provenance: Provenance): string {
  const { run, preset, rounds, tokens, recipe, computeSeconds, cents } = provenance.training;
  const energy = energyOf(provenance);
  const rows: [string, string][] = [
    ["run", run ?? "none: brought in from elsewhere"],
    ["preset", text(preset)],
    ["tokens seen", grouped(tokens)],
    ["rounds", grouped(rounds)],
    ["optimizer", recipe === null ? "unknown" : `${recipe.optimizer.name}, learning rate ${recipe.optimizer.lr}`],
    ["shards and local steps a round", recipe === null ? "unknown" : `${recipe.shards} and ${recipe.steps}`],
    ["sequences a step", recipe === null ? "unknown" : String(recipe.batch)],
    ["seed", recipe === null ? "unknown" : String(recipe.seed)],
    ["computing, CPU seconds", decimals(computeSeconds, 0)],
    ["cost, US cents of Workers CPU time", decimals(cents, 2)],
    ["energy, an estimate", energy === null ? "unknown" : `${energy.wattHours.toFixed(2)} Wh at ${WATTS_PER_CORE} W per busy core`],
    ["checkpoint", `\`${provenance.checkpoint}\``],
    ["tokenizer", `\`${provenance.tokenizer}\``],
    ["dataset", provenance.dataset === null ? "unknown" : `\`${provenance.dataset}\``],
  ];
  return `${table(["what", "value"], rows)}\n\nHashes are sha256 of the stored objects: equal work gives an equal checkpoint, so anybody can check the run by repeating it.`;
}

function originTable({ sources }: { sources: readonly OriginSource[] }): string {
  const largest = sources.toSorted((a, b) => b.bytes - a.bytes);
  const rows = largest
    .slice(0, MAX_SOURCES_SHOWN)
    .map(({ site, licence, lang, documents, bytes, firstRetrieved, lastRetrieved }) => [
      cell(site) || "other sites",
      cell(spdxOf(licence)) || "unknown",
      cell(lang) || "unknown",
      grouped(documents),
      grouped(bytes),
      firstRetrieved === lastRetrieved ? firstRetrieved || "unknown" : `${firstRetrieved} to ${lastRetrieved}`,
    ]);
  const rest = largest.length - rows.length;
  return [
    table(["site", "licence", "language", "documents", "bytes", "retrieved"], rows),
    ...(rest === 0 ? [] : [`\n${rest} more are listed in provenance.json.`]),
  ].join("\n");
}

function originSection({ data }: Provenance): string {
  if (data === null || data.origin === null)
    return "The sites of the text, their licences and the days of retrieval are unknown: the data were made without such a record.";
  const { snapshot, superseded } = data.origin;
  return [
    `The text comes from the snapshot \`${snapshot}\` of the corpus:`,
    "",
    originTable(data.origin),
    "",
    `${grouped(superseded)} outdated documents of the snapshot are left out. How many pages reserved their rights is unknown: the crawler never reads them.`,
  ].join("\n");
}

function dataSection(provenance: Provenance): string {
  const { data } = provenance;
  if (data === null) return "Unknown: the model was brought in from elsewhere.";
  const crawler = "The crawler keeps to robots.txt and to reservations against AI training.";
  if (data.kind === "sft")
    return `Taught with ${grouped(data.documents)} conversations of the lesson set \`${data.lessons ?? "unknown"}\`, beside text that the model was pretrained on. Some of the conversations were only validated on.\n\n${originSection(provenance)} ${crawler}`;
  return `Text of ${grouped(data.documents)} crawled documents: ${grouped(data.trainTokens)} tokens to train on and ${grouped(data.valTokens)} (${grouped(data.valBytes)} bytes) of other documents to validate. ${crawler}\n\n${originSection(provenance)}`;
}

function evaluationSection({ data, evaluation: { loss, bitsPerByte, unigramLoss, trigramLoss } }: Provenance): string {
  if (data?.kind === "sft") return table(["on held-out conversations", "nats per conversation"], [["this model", decimals(loss)]]);
  return table(
    ["on held-out documents", "nats per token"],
    [
      ["this model", `${decimals(loss)} (${decimals(bitsPerByte)} bits per byte)`],
      ["unigram", decimals(unigramLoss)],
      ["interpolated trigram", decimals(trigramLoss)],
    ],
  );
}

function usageSection({ provenance, endTokens, tokenizer }: PublishedModel): string {
  const { name } = provenance;
  const ends = endTokens.map((id) => `\`${tokenizer.tokens[id]}\``).join(" and ");
  const format = provenance.isTaught
    ? "It has learned conversations. The chat template renders them as it has seen them."
    : "It has learned no conversations: it continues a text. The chat template renders each message as a line, as `/generate` does, and not as ChatML, whose control tokens would be noise to it.";
  return [
    `${format} A text ends with ${ends}.`,
    "",
    fence(
      "python",
      "from transformers import AutoModelForCausalLM, AutoTokenizer",
      'tokenizer, model = AutoTokenizer.from_pretrained("."), AutoModelForCausalLM.from_pretrained(".")',
      'inputs = tokenizer("What is a Worker?\\n", return_tensors="pt")',
      "print(tokenizer.decode(model.generate(**inputs, max_new_tokens=50)[0]))",
    ),
    "",
    fence("sh", `llama-cli -m ${name}-F16.gguf -no-cnv -p $'What is a Worker?\\n' -n 50`),
    "",
    "Ollama, with a Modelfile of this line:",
    "",
    fence("", `FROM ./${name}-F16.gguf`),
    "",
    fence("sh", `ollama create ${name} -f Modelfile && ollama run ${name} "What is a Worker?"`),
    "",
    fence(
      "js",
      'import { pipeline } from "@huggingface/transformers";',
      `const generate = await pipeline("text-generation", "tiffin/${name}", { dtype: "fp32" }); // or "q8", a quarter of the size`,
      'console.log(await generate("What is a Worker?\\n", { max_new_tokens: 50 }));',
    ),
  ].join("\n");
}

const LIMITS = `A small model of a small corpus. It is made to show how training works and to be trained further; it knows little, states falsehoods fluently, repeats what its corpus
holds, biases included, and has learned no refusals. It is not meant for decisions about people, nor for advice that anybody acts on.`;

/** Returns the model card. */
export function modelCard(model: PublishedModel): string {
  const { provenance } = model;
  const sections: [string, string][] = [
    ["Licence", licenceSection(provenance)],
    ["Architecture", architectureSection(provenance)],
    ["Use", usageSection(model)],
    ["Evaluation", evaluationSection(provenance)],
    ["Training", trainingSection(provenance)],
    ["Data", dataSection(provenance)],
    ["Limits and intended use", LIMITS],
  ];
  const body = sections.map(([title, content]) => `## ${title}\n\n${content}\n`).join("\n");
  return `${frontMatter(provenance)}\n\n# ${provenance.name}\n\nGrown by Tiffin on Cloudflare Workers, without a GPU. The facts below are those of provenance.json.\n\n${body}`;
}

/** Returns the text of the LICENSE file: the recorded licence, or that the licence is unknown. */
export function licenceText({ licence, name }: Provenance): string {
  if (licence !== UNKNOWN_LICENCE) return `The weights of ${name} are licensed under ${licence} (SPDX-License-Identifier: ${licence}).\n`;
  return `The licence of the weights of ${name} is unknown: README.md says why.\nNo permission is granted by this file. README.md and provenance.json say what is known.\n`;
}
