/**
 * The decoder as it serves: the same model as transformer.ts, with one kernel call per block over tfjs's memory.
 *
 * A step of one token is 150 small operations in transformer.ts, and each costs tfjs more than the arithmetic of a small model.
 * Here a pass takes up to PASS_ROWS positions, of one prompt or of several sequences, through each block in one call. The
 * numbers of a row depend neither on the other rows nor on how a prompt was divided. So candidates that are decoded together
 * and prompts whose beginning was computed before give the same bits. With float32 the logits are those of ../decoder.ts up to
 * rounding; tests/unit/model/fused-model.test.ts compares them.
 */
import type { ModelConfig } from "../../config.ts";
import { Address } from "../../tensor/engine/buffer.ts";
import { pointer, type Pointer } from "../../tensor/engine/wasm-runtime.ts";
import { decodeContext } from "../../tensor/registered/decode.ts";
import type { Decoder } from "../decoder.ts";
import type { Weights } from "../weights.ts";
import { checkIds } from "./check-ids.ts";
import { fuseWeights, type Precision } from "./fused-weights.ts";
import { Pages, type Page } from "./pages.ts";
import { Prefixes } from "./prefixes.ts";

/** Positions of a pass. More would need more scratch; a product reads its weights once for all of them. */
const PASS_ROWS = 32;

interface Sequence {
  ids: number[];
  pages: Page[];
  /** The logits of the last id, [V]. Written again at each step: a new array per token would be 128 KB of garbage for 32,000 tokens. */
  logits: Float32Array | null;
}

/** One position of a pass: the next id of a sequence. */
interface Row {
  sequence: Sequence;
  id: number;
}

export interface DecodingModel {
  /** Starts a sequence. */
  start(): Decoder;
  /** Appends ids[i] to decoders[i], all in one pass, and returns the logits [V] of each. The decoders must be this model's. */
  stepTogether(decoders: readonly Decoder[], ids: readonly number[]): Float32Array[];
  /** Frees everything but the weights that it was made from. Its decoders can only be disposed then. */
  dispose(): void;
}

/** `weights` must outlive the model. */
export function createFusedModel(weights: Weights, config: ModelConfig, precision: Precision): DecodingModel {
  const { context, tableFor } = decodeContext();
  const { kernels, allocate, free, copy, write, floats } = context;
  const { layers, width, mlpWidth, heads, kvHeads, headWidth, normEpsilon, ropeTheta, vocabSize } = config;
  const fused = fuseWeights(context, weights, config, precision);
  const sizes = Int32Array.of(width, mlpWidth, heads, kvHeads, headWidth, vocabSize, 0, Number(precision !== "float32"));
  new Float32Array(sizes.buffer)[6] = normEpsilon;
  const shape = allocate(sizes.byteLength);
  write(shape, sizes);
  const perPage = kernels.pagePositions();
  const pages = new Pages(context, 2 * layers * perPage * kvHeads * headWidth * 4);
  const prefixes = new Prefixes(pages, perPage);
  const [xBytes, logitBytes] = [kernels.decodeRowBytes(width), kernels.decodeRowBytes(vocabSize)];
  const mostPages = Math.ceil(config.context / perPage);
  const x = allocate(PASS_ROWS * xBytes);
  const work = allocate(kernels.decodeBytes(shape, PASS_ROWS, config.context));
  // The position of each row, the address of its sequence's page addresses, then these addresses.
  const places = allocate(PASS_ROWS * (2 + mostPages) * 4);
  let logits: { start: Pointer; rows: number } | null = null;
  const sequences = new WeakMap<Decoder, Sequence>();

  function roomForLogits(rows: number): Pointer {
    if (logits !== null && logits.rows >= rows) return logits.start;
    if (logits !== null) free(logits.start);
    logits = null;
    logits = { start: allocate(rows * logitBytes), rows };
    return logits.start;
  }

  /** Takes the rows through all blocks. Returns the logits of the last `wanted` rows. */
  function pass(rows: readonly Row[], wanted: number): Float32Array[] {
    const count = rows.length;
    const lists = new Map<Sequence, number>();
    const numbers = new Int32Array(count * (2 + mostPages));
    for (const [row, { sequence, id }] of rows.entries()) {
      const position = sequence.ids.length;
      sequence.pages.push(position % perPage === 0 ? pages.take() : pages.owned(sequence.pages.pop()!));
      sequence.ids.push(id);
      if (!lists.has(sequence)) lists.set(sequence, 2 * count + lists.size * mostPages);
      numbers[row] = position;
      numbers[count + row] = places + 4 * lists.get(sequence)!;
      copy(fused.embedding + 4 * width * id, x + row * xBytes, 4 * width);
    }
    for (const [{ pages: held }, list] of lists) for (const [index, { address }] of held.entries()) numbers[list + index] = address;
    write(places, numbers.subarray(0, 2 * count + lists.size * mostPages));
    const angles = tableFor(headWidth, ropeTheta, config.context);
    for (const [layer, block] of fused.blocks.entries()) kernels.decodeBlock(x, shape, block, angles, places, layer, count, work);
    if (wanted === 0) return [];
    const target = roomForLogits(wanted);
    const last = pointer(x + (count - wanted) * xBytes);
    kernels.decodeHead(last, shape, fused.norm, fused.head, target, wanted, work);
    return rows.slice(count - wanted).map(({ sequence }, row) => {
      sequence.logits ??= new Float32Array(vocabSize);
      sequence.logits.set(floats({ dataId: new Address(pointer(target + row * logitBytes)), shape: [vocabSize], dtype: "float32" }));
      return sequence.logits;
    });
  }

  /** Gives an empty sequence the kept pages of a beginning of `ids`, but not of the last id, whose logits are wanted. */
  function reuse(sequence: Sequence, ids: ArrayLike<number>): number {
    const own = Array.from(ids);
    sequence.pages = prefixes.find(own.slice(0, -1));
    sequence.ids = own.slice(0, sequence.pages.length * perPage);
    return sequence.ids.length;
  }

  function sequenceOf(decoder: Decoder): Sequence {
    const sequence = sequences.get(decoder);
    if (sequence === undefined) throw new Error("decoder: expected a live decoder of this model, got a disposed or foreign one");
    return sequence;
  }

  function decoderOf(sequence: Sequence): Decoder {
    const decoder: Decoder = {
      get length() {
        return sequence.ids.length;
      },
      prefill(ids) {
        const own = sequenceOf(decoder);
        checkIds(config, own.ids.length, ids);
        const first = own.ids.length === 0 ? reuse(own, ids) : 0;
        let result: Float32Array[] = [];
        for (let at = first; at < ids.length; at += PASS_ROWS) {
          const rows = Array.from({ length: Math.min(PASS_ROWS, ids.length - at) }, (_, row) => ({ sequence: own, id: ids[at + row]! }));
          result = pass(rows, at + rows.length === ids.length ? 1 : 0);
        }
        if (first < ids.length - 1) prefixes.keep(own.ids, own.pages);
        return result[0]!;
      },
      step: (id) => decoder.prefill([id]),
      fork() {
        const { ids, pages: held } = sequenceOf(decoder);
        return decoderOf({ ids: ids.slice(), pages: held.map((page) => pages.share(page)), logits: null });
      },
      dispose() {
        if (!sequences.delete(decoder)) return;
        prefixes.keep(sequence.ids, sequence.pages);
        for (const page of sequence.pages.splice(0)) pages.release(page);
      },
    };
    sequences.set(decoder, sequence);
    return decoder;
  }

  return {
    start: () => decoderOf({ ids: [], pages: [], logits: null }),
    stepTogether(decoders, ids) {
      if (decoders.length !== ids.length || new Set(decoders).size !== ids.length)
        throw new Error(`decoder: expected an id for each of ${decoders.length} different decoders, got ${ids.length}`);
      const rows = decoders.map((decoder, index) => ({ sequence: sequenceOf(decoder), id: ids[index]! }));
      for (const { sequence, id } of rows) checkIds(config, sequence.ids.length, [id]);
      const results: Float32Array[] = [];
      for (let at = 0; at < rows.length; at += PASS_ROWS) {
        const some = rows.slice(at, at + PASS_ROWS);
        results.push(...pass(some, some.length));
      }
      return results;
    },
    dispose() {
      prefixes.dispose();
      fused.dispose();
      for (const start of [shape, x, work, places]) free(start);
      if (logits !== null) free(logits.start);
      logits = null;
    },
  };
}
