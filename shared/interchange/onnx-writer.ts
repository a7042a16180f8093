/**
 * Writes a model as ONNX for onnxruntime and transformers.js: opset 17, standard operators only. The key/value cache is an input
 * and an output, with the names that transformers.js uses. Weights stay [out, in] as stored, and Gemm transposes them. Each
 * weight is therefore written as it is read.
 *
 * In an INT8 file each matrix is int8 with one scale per row, and DequantizeLinear makes float32 of it. The computation stays in
 * float32, because int8 activations would cost more accuracy. The file has a quarter of the size.
 *
 * Axis letters as in tensor/ops.ts; K is the number of key/value heads, G the number of query heads per key/value head.
 */
import type { ModelConfig } from "../config.ts";
import { layerName } from "../model/weights.ts";
import type { OnnxType } from "./formats.ts";
import { GraphBuilder } from "./onnx-format.ts";
import { scaleName, weightFields } from "./onnx-weights.ts";
import { sizeOfFile, type OutputFile } from "./output-file.ts";
import type { PublishedModel } from "./published-model.ts";

/** The names by which transformers.js finds the files of its types `fp32` and `q8`. */
const PATHS = { F32: "onnx/model.onnx", INT8: "onnx/model_quantized.onnx" } as const satisfies Record<OnnxType, string>;

const LOWEST = -3.402_823_466_385_288_6e38;

/** Values that all layers share. */
interface Frame {
  /** The lengths T and S, each as a tensor with one number. */
  positions: string;
  total: string;
  /** [B, 1, T, S]: 0 if the query may attend to the position, else the lowest float32. */
  mask: string;
  /** [B, 1, T, D / 2] */
  cosines: string;
  sines: string;
}

class DecoderGraph {
  readonly #graph = new GraphBuilder();
  readonly #config: ModelConfig;
  readonly #type: OnnxType;

  constructor(config: ModelConfig, type: OnnxType) {
    this.#config = config;
    this.#type = type;
  }

  build(): GraphBuilder {
    const graph = this.#graph;
    const { layers, kvHeads, headWidth, vocabSize, tiedEmbeddings } = this.#config;
    const ids = graph.input("input_ids", "int64", ["batch", "positions"]);
    const frame = this.#frame(ids);
    let x = this.#rows("model.embed_tokens.weight", graph.node("Reshape", [ids, graph.ints([-1])])); // [B*T, C]
    for (let layer = 0; layer < layers; layer++) x = this.#block(layer, x, frame);
    const last = this.#norm(x, "model.norm.weight");
    const logits = this.#linear(last, tiedEmbeddings ? "model.embed_tokens.weight" : "lm_head.weight");
    const shape = graph.node("Concat", [graph.ints([-1]), frame.positions, graph.ints([vocabSize])], { axis: 0 });
    graph.node("Reshape", [logits, shape], {}, "logits");
    graph.output("logits", "float", ["batch", "positions", vocabSize]);
    for (let layer = 0; layer < layers; layer++)
      for (const kind of ["key", "value"]) {
        graph.input(`past_key_values.${layer}.${kind}`, "float", ["batch", kvHeads, "past", headWidth]);
        graph.output(`present.${layer}.${kind}`, "float", ["batch", kvHeads, "total", headWidth]);
      }
    return graph;
  }

  #frame(ids: string): Frame {
    const graph = this.#graph;
    const { headWidth, ropeTheta } = this.#config;
    const attention = graph.input("attention_mask", "int64", ["batch", "total"]);
    const places = graph.input("position_ids", "int64", ["batch", "positions"]);
    const positions = graph.node("Shape", [ids], { start: 1, end: 2 });
    const total = graph.node("Shape", [attention], { start: 1, end: 2 });
    const scalar = (value: string) => graph.node("Squeeze", [value]);
    const end = scalar(total);
    const keys = graph.node("Range", [graph.ints(0), end, graph.ints(1)]); // [S]
    const queries = graph.node("Range", [scalar(graph.node("Sub", [total, positions])), end, graph.ints(1)]); // [T]
    const isBefore = graph.node("LessOrEqual", [keys, graph.node("Unsqueeze", [queries, graph.ints([1])])]); // [T, S]
    const isThere = graph.node("Unsqueeze", [graph.node("Cast", [attention], { to: 9 }), graph.ints([1, 2])]); // [B, 1, 1, S]
    const mask = graph.node("Where", [graph.node("And", [isBefore, isThere]), graph.floats(0), graph.floats(LOWEST)]); // [B, 1, T, S]
    const rates = Float32Array.from({ length: headWidth / 2 }, (_, index) => ropeTheta ** ((-2 * index) / headWidth));
    const at = graph.node("Unsqueeze", [graph.node("Cast", [places], { to: 1 }), graph.ints([1, 3])]); // [B, 1, T, 1]
    const angles = graph.node("Mul", [at, graph.floats(rates)]); // [B, 1, T, D / 2]
    return { positions, total, mask, cosines: graph.node("Cos", [angles]), sines: graph.node("Sin", [angles]) };
  }

  /** weight [V, C], ids [N] -> [N, C] */
  #rows(weight: string, ids: string): string {
    const of = (table: string) => this.#graph.node("Gather", [table, ids]);
    return this.#type === "F32" ? of(weight) : this.#floats(of(weight), of(scaleName(weight)));
  }

  /** x [N, in], weight [out, in] -> [N, out] */
  #linear(x: string, weight: string): string {
    const matrix = this.#type === "F32" ? weight : this.#floats(weight, scaleName(weight));
    return this.#graph.node("Gemm", [x, matrix], { transB: 1 });
  }

  /** digits [N, M] in int8, scales [N] -> [N, M] */
  #floats(digits: string, scales: string): string {
    return this.#graph.node("DequantizeLinear", [digits, scales], { axis: 0 });
  }

  /** x [N, width] -> RMSNorm over the last axis */
  #norm(x: string, weight: string): string {
    const graph = this.#graph;
    const square = graph.node("ReduceMean", [graph.node("Mul", [x, x])], { axes: [-1], keepdims: 1 });
    const root = graph.node("Sqrt", [graph.node("Add", [square, graph.floats(this.#config.normEpsilon)])]);
    return graph.node("Mul", [graph.node("Div", [x, root]), weight]);
  }

  /** x [B*T, heads*D] -> [B, heads, T, D] */
  #split(x: string, heads: number, { positions }: Frame): string {
    const graph = this.#graph;
    const shape = graph.node("Concat", [graph.ints([-1]), positions, graph.ints([heads, this.#config.headWidth])], { axis: 0 });
    return graph.node("Transpose", [graph.node("Reshape", [x, shape])], { perm: [0, 2, 1, 3] });
  }

  /** x [B, heads, T, D] -> normed and rotated x. Rotation pairs element i with element i + D/2. */
  #rotated(x: string, norm: string, { cosines, sines }: Frame): string {
    const graph = this.#graph;
    const half = this.#config.headWidth / 2;
    const [first = "", second = ""] = graph.nodes("Split", [this.#norm(x, norm), graph.ints([half, half])], 2, { axis: -1 });
    const product = (a: string, b: string) => graph.node("Mul", [a, b]);
    return graph.node(
      "Concat",
      [
        graph.node("Sub", [product(first, cosines), product(second, sines)]),
        graph.node("Add", [product(second, cosines), product(first, sines)]),
      ],
      { axis: -1 },
    );
  }

  /** x [B*T, C] -> [B*T, C] */
  #block(layer: number, x: string, frame: Frame): string {
    const graph = this.#graph;
    const weight = (part: string) => layerName(layer, part);
    const normed = this.#norm(x, weight("input_layernorm"));
    const mixed = this.#attention(layer, normed, frame);
    const attended = graph.node("Add", [x, this.#linear(mixed, weight("self_attn.o_proj"))]);
    const inner = this.#norm(attended, weight("post_attention_layernorm"));
    const gate = this.#linear(inner, weight("mlp.gate_proj"));
    const opened = graph.node("Mul", [gate, graph.node("Sigmoid", [gate])]);
    const hidden = graph.node("Mul", [opened, this.#linear(inner, weight("mlp.up_proj"))]);
    return graph.node("Add", [attended, this.#linear(hidden, weight("mlp.down_proj"))]);
  }

  /** Reshapes the queries that share a key/value head into rows of one matrix, so keys need not be copied. */
  #attention(layer: number, x: string, frame: Frame): string {
    const graph = this.#graph;
    const { heads, kvHeads, headWidth } = this.#config;
    const project = (part: string, count: number) => this.#split(this.#linear(x, layerName(layer, `self_attn.${part}`)), count, frame);
    const grown = (kind: string, value: string) =>
      graph.node("Concat", [`past_key_values.${layer}.${kind}`, value], { axis: 2 }, `present.${layer}.${kind}`); // [B, K, S, D]
    const q = this.#rotated(project("q_proj", heads), layerName(layer, "self_attn.q_norm"), frame);
    const keys = grown("key", this.#rotated(project("k_proj", kvHeads), layerName(layer, "self_attn.k_norm"), frame));
    const values = grown("value", project("v_proj", kvHeads));
    const rows = graph.node("Reshape", [q, graph.ints([0, kvHeads, -1, headWidth])]); // [B, K, G*T, D]
    const products = graph.node("MatMul", [rows, graph.node("Transpose", [keys], { perm: [0, 1, 3, 2] })]); // [B, K, G*T, S]
    const shapeOf = (count: number) => graph.node("Concat", [graph.ints([0, count, -1]), frame.total], { axis: 0 });
    const scaled = graph.node("Mul", [products, graph.floats(1 / Math.sqrt(headWidth))]);
    const scores = graph.node("Add", [graph.node("Reshape", [scaled, shapeOf(heads)]), frame.mask]); // [B, H, T, S]
    const shares = graph.node("Reshape", [graph.node("Softmax", [scores], { axis: -1 }), shapeOf(kvHeads)]);
    const mixed = graph.node("Reshape", [graph.node("MatMul", [shares, values]), graph.ints([0, heads, -1, headWidth])]); // [B, H, T, D]
    return graph.node("Reshape", [graph.node("Transpose", [mixed], { perm: [0, 2, 1, 3] }), graph.ints([-1, heads * headWidth])]);
  }
}

/** Writes a model as ONNX with its matrices in `type`. Vectors stay float32. */
export function onnxFile(model: PublishedModel, type: OnnxType): OutputFile {
  const path = PATHS[type];
  const weights = weightFields(model, type);
  const graph = new DecoderGraph(model.config, type).build();
  const head = graph.modelHead(model.provenance.name, { checkpoint: model.hash }, sizeOfFile({ path, pieces: weights }));
  return { path, pieces: [head, ...weights] };
}
