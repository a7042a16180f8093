/**
 * The tokenizer screen: cuts a text into tokens while the reader types, and shows the merges behind each token. Everything runs
 * in the browser.
 */
import { computed, signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { Overview } from "../../../../../shared/contracts/overview.ts";
import { Tokenizer as Encoder } from "../../../../../shared/tokenizer/tokenizer.ts";
import { Facts } from "../../frame/facts.tsx";
import { parameter, readAddress, setParameters } from "../../frame/address.ts";
import { Announcer } from "../../frame/announcer.tsx";
import { call } from "../../frame/api.ts";
import { counted, decimal, shortHash } from "../../frame/numbers.ts";
import { poll } from "../../frame/polling.ts";
import { mergesOf, pieceOf, vocabularyOf, type Piece, type TokenizerFile } from "./vocabulary.ts";

const EXAMPLE = "The tiffin carrier brings hot idlis 🍲 to the café at 12:30.";
/** Only this many tokens of a text are shown, so that typing stays quick. */
const MOST_SHOWN = 2000;
/** Longer texts are not put into the address, because some programs cut off long addresses. */
const MOST_IN_ADDRESS = 1500;
const COLOURS = 6;
const LOAD_EVERY_MS = 5000;

const tokenizer = signal<Encoder | null>(null);
const model = signal("");
const problem = signal("");
const text = signal(EXAMPLE);
const selected = signal<number | null>(null);

const ids = computed(() => tokenizer.value?.encode(text.value) ?? []);
const pieces = computed((): Piece[] => {
  const { value } = tokenizer;
  return value === null ? [] : ids.value.slice(0, MOST_SHOWN).map((id) => pieceOf(value, id));
});

/** Loads the active model's tokenizer once; while no model is active, says so. */
async function load(): Promise<void> {
  if (tokenizer.peek() !== null) return;
  const { training } = await call<Overview>("GET", "/overview");
  const active = training?.active ?? null;
  if (active === null) {
    problem.value = "No model is active yet, so there is no tokenizer to show. It is made before the first training.";
    return;
  }
  const file = await call<TokenizerFile>("GET", `/models/${active.model}/tokenizer.json`);
  tokenizer.value = new Encoder(vocabularyOf(file));
  model.value = active.model;
  problem.value = "";
}

function watch(): void {
  readAddress();
  text.value = parameter("text") ?? EXAMPLE;
  poll(load, LOAD_EVERY_MS).error.subscribe((error) => {
    if (error !== null) problem.value = error.message;
  });
}

function Details({ piece }: { piece: Piece }) {
  const { value } = tokenizer;
  if (value === null) return null;
  const steps = mergesOf(value.vocabulary, piece.id, (id) => pieceOf(value, id).shown);
  return (
    <section class="panel" aria-label="The chosen token">
      <h2>
        Token <span class="mono token">{piece.shown}</span>
      </h2>
      <Facts
        facts={[
          ["Id", piece.id],
          [
            "Bytes",
            <span key="bytes" class="mono">
              {Array.from(piece.bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ") || "none"}
            </span>,
          ],
          ["Learned", steps.length === 0 ? "from the start: a single byte" : `as merge number ${steps.at(-1)!.rank + 1}`],
        ]}
      />
      {steps.length > 0 && (
        <>
          <p>It is put together like this. A pair that was frequent earlier in training has a lower number.</p>
          <ol class="merges">
            {steps.map(({ rank, left, right }) => (
              <li key={rank}>
                <span class="mono token">{left}</span> + <span class="mono token">{right}</span> <span class="speed">merge {rank + 1}</span>
              </li>
            ))}
          </ol>
        </>
      )}
    </section>
  );
}

function Tokens() {
  const bytes = new TextEncoder().encode(text.value).length;
  const per = ids.value.length === 0 ? 0 : bytes / ids.value.length;
  const said = `${counted(ids.value.length, "token")} for ${counted(bytes, "byte")}: ${decimal(per, 2)} bytes per token.`;
  const chosen = selected.value === null ? undefined : pieces.value[selected.value];
  return (
    <>
      <Announcer text={said} />
      <section class="panel" aria-label="Tokens">
        <p class="tokens">
          {pieces.value.map((piece, index) => (
            <button
              // oxlint-disable-next-line react/no-array-index-key -- a token has no name but its place
              key={index}
              type="button"
              class={`token c${index % COLOURS}${piece.isBytes ? " bytes" : ""}`}
              aria-pressed={index === selected.value ? "true" : "false"}
              onClick={() => {
                selected.value = index === selected.value ? null : index;
              }}
            >
              <span class="unseen">Token {index + 1}: </span>
              {piece.shown || "∅"}
              <small>
                <span class="unseen">id </span>
                {piece.id}
              </small>
            </button>
          ))}
        </p>
        {ids.value.length > MOST_SHOWN && <p class="speed">Only the first {MOST_SHOWN} tokens are drawn.</p>}
        <p class="speed">
          A space is written ·, a line break ⏎. A token that is only a part of a character shows its bytes. Choose a token to see how it was
          made.
        </p>
      </section>
      {chosen !== undefined && <Details piece={chosen} />}
      <p class="speed">
        The vocabulary has {counted(tokenizer.value?.vocabSize ?? 0, "token")}; it belongs to model <code>{shortHash(model.value)}</code>.
        Nothing that you type here leaves this page.
      </p>
    </>
  );
}

export function TokenizerScreen() {
  useEffect(watch, []);
  return (
    <>
      <h1>Tokenizer</h1>
      <label class="unseen" htmlFor="text">
        Text to cut
      </label>
      <textarea
        id="text"
        class="sheet"
        rows={4}
        dir="auto"
        spellcheck={false}
        value={text.value}
        onInput={({ currentTarget }) => {
          text.value = currentTarget.value;
          selected.value = null;
          const { value } = currentTarget;
          setParameters({ text: value === EXAMPLE || value.length > MOST_IN_ADDRESS ? null : value });
        }}
      />
      {problem.value !== "" && (
        <p class="notice" role="alert">
          {problem}
        </p>
      )}
      {tokenizer.value === null ? problem.value === "" && <p class="lede">Fetching the vocabulary…</p> : <Tokens />}
    </>
  );
}
