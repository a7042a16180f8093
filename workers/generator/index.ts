/**
 * Generator: answers with the active model. A few generations run at once per isolate; others wait in a queue of limited
 * length.
 */
import { WorkerEntrypoint } from "cloudflare:workers";
import type { Classification, ClassifyRequest } from "../../shared/contracts/classify.ts";
import { MAX_EMBEDDED_TOKENS, type EmbeddingInput, type Embeddings } from "../../shared/contracts/embeddings.ts";
import type { Explanation, ExplainRequest } from "../../shared/contracts/explain.ts";
import { DEFAULT_CANDIDATES, type GenerateRequest } from "../../shared/contracts/generate.ts";
import type { GenerationRequest, ModelInfo } from "../../shared/contracts/generation.ts";
import type { Predictions, PredictRequest } from "../../shared/contracts/predict.ts";
import type { Traced, TraceRequest } from "../../shared/contracts/trace.ts";
import { namedError } from "../../shared/errors.ts";
import { MAX_FEATURES } from "../../shared/lessons/features.ts";
import { log } from "../../shared/log.ts";
import { account } from "./account.ts";
import { TURN_MS } from "./active.ts";
import { createAdmissionQueue } from "./admission-queue.ts";
import { activeClassifier } from "./classifier.ts";
import { classify } from "./classify.ts";
import { embedInputs } from "./embed.ts";
import { answerEvents } from "./generate.ts";
import { explain, MAX_EXPLAINED_TOKENS } from "./explain.ts";
import { activeModel, holdModel, infoOf, type LoadedModel, type ModelHold } from "./model.ts";
import { MAX_PREDICTED_TOKENS, predict } from "./predict.ts";
import { eventStream, scoredEvents } from "./stream.ts";
import { traceText } from "./trace.ts";

/**
 * waitMs + turnMs = 30 s: the time that an invocation has left after its client has gone.
 * developers.cloudflare.com/workers/runtime-apis/context/#waituntil
 */
const inTurn = createAdmissionQueue({ atOnce: 4, places: 16, waitMs: 30_000 - TURN_MS, turnMs: TURN_MS });

interface TurnName {
  what: string;
  /** The request. */
  id: string | undefined;
}

export default class Generator extends WorkerEntrypoint<GeneratorEnv> {
  async health(): Promise<{ ok: true }> {
    return { ok: true };
  }

  /**
   * Answers a question; the answer gets the id of its request. Lines of events, of which the last is an AnswerEvent. Throws
   * InvalidInput and NoModel, OverBudget, or Busy if too many requests wait or the wait is too long.
   */
  generate(request: GenerateRequest, id: string): Promise<ReadableStream<Uint8Array>> {
    return this.#opened({ what: "generate", id }, request.candidates ?? DEFAULT_CANDIDATES, (hold) =>
      answerEvents(this.env, hold, request, id),
    );
  }

  /** A generation as lines of GenerationEvent. Throws InvalidInput and, until its turn has come, the errors of `generate`. */
  stream(request: GenerationRequest, id: string): Promise<ReadableStream<Uint8Array>> {
    return this.#opened({ what: "stream", id }, request.choices, (hold) => scoredEvents(this.env, hold, request, id));
  }

  /** The stream of `events` once its turn has come. The turn ends with the stream, or when its reader leaves. */
  async #opened(
    turnOf: TurnName,
    choices: number,
    events: (hold: ModelHold) => AsyncGenerator<{ type: string }>,
  ): Promise<ReadableStream<Uint8Array>> {
    const opened = Promise.withResolvers<ReadableStream<Uint8Array>>();
    const turn = this.#withModel(
      turnOf,
      ({ config }) => choices * config.context,
      async (hold) => {
        const { readable, finished } = eventStream(events(hold));
        opened.resolve(readable);
        await finished;
      },
    );
    turn.catch(opened.reject);
    return opened.promise;
  }

  /** The probabilities of whole answers. Throws InvalidInput and the errors of `generate`. */
  predict(request: PredictRequest, id?: string): Promise<Predictions> {
    return this.#withModel(
      { what: "predict", id },
      ({ config }) => config.context + MAX_PREDICTED_TOKENS,
      async ({ model }) => predict(model, request),
    );
  }

  /** The labels of a text by the active classifier. Throws NoModel, OverBudget. */
  async classify(request: ClassifyRequest): Promise<Classification> {
    const classifier = await activeClassifier(this.env);
    const ledger = this.env.LEDGER.getByName("ledger");
    const opened = await account.open(ledger, MAX_FEATURES);
    try {
      return classify(classifier, request);
    } finally {
      this.ctx.waitUntil(account.close(ledger, opened));
    }
  }

  /**
   * The intermediate results of the model while it reads a text: probabilities and attention. Throws InvalidInput and the errors
   * of `generate`.
   */
  explain(request: ExplainRequest, id?: string): Promise<Explanation> {
    return this.#withModel(
      { what: "explain", id },
      () => MAX_EXPLAINED_TOKENS,
      async ({ model }) => explain(model, request),
    );
  }

  /** The vectors of texts or token ids. Throws InvalidInput and the errors of `generate`. */
  embed(inputs: EmbeddingInput[], id?: string): Promise<Embeddings> {
    return this.#withModel(
      { what: "embed", id },
      () => MAX_EMBEDDED_TOKENS,
      (hold) => embedInputs(hold, inputs),
    );
  }

  /** The passages of a text, or of an answer, that stand in the training text of the model. Throws NoModel, NotFound. */
  async findSources({ text, id }: TraceRequest): Promise<Traced> {
    const model = await activeModel(this.env);
    return traceText(this.env, model, text ?? (await this.env.FEEDBACK.responseText(id ?? "")));
  }

  /** Throws NoModel. */
  async modelInfo(): Promise<ModelInfo> {
    return infoOf(await activeModel(this.env));
  }

  /** The token ids of a text. Throws NoModel. */
  async tokenize(text: string): Promise<{ model: string; tokens: number[] }> {
    const { hash, tokenizer } = await activeModel(this.env);
    return { model: hash, tokens: tokenizer.encode(text) };
  }

  /** The text of token ids. Throws NoModel, InvalidInput for an id that the model does not have. */
  async detokenize(ids: number[]): Promise<{ model: string; text: string }> {
    const { hash, tokenizer, config } = await activeModel(this.env);
    const unknown = ids.find((id) => id >= config.vocabSize);
    if (unknown !== undefined) throw namedError("InvalidInput", `tokens: expected ids below ${config.vocabSize}, got ${unknown}`);
    return { model: hash, text: tokenizer.decode(ids) };
  }

  /** Runs `work` with the active model, after reserving `mostTokens` of today's budget. A line of log connects the turn with its request. */
  #withModel<T>({ what, id }: TurnName, mostTokens: (model: LoadedModel) => number, work: (hold: ModelHold) => Promise<T>): Promise<T> {
    const turn = inTurn(async () => {
      const ledger = this.env.LEDGER.getByName("ledger");
      const hold = await holdModel(this.env);
      try {
        const opened = await account.open(ledger, mostTokens(hold.model));
        log("info", `${what}: the turn begins`, { request: id });
        try {
          return await work(hold);
        } finally {
          this.ctx.waitUntil(account.close(ledger, opened));
        }
      } finally {
        hold.release();
      }
    });
    // If the client leaves, the platform may end the invocation in the middle of a turn, and the tensors of a half-loaded
    // model would never be freed. waitUntil keeps the invocation alive until the turn ends.
    this.ctx.waitUntil(turn.catch(() => undefined));
    return turn;
  }
}
