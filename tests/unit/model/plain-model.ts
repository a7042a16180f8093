/** The decoder in plain loops over numbers, for models with as many key heads as heads. Slow, and independent of tfjs and its kernels. */
import type { ModelConfig } from "../../../shared/config.ts";

type Rows = number[][];
type Numbers = Readonly<Record<string, ArrayLike<number>>>;

const dot = (a: readonly number[], b: readonly number[]) => a.reduce((sum, value, index) => sum + value * b[index]!, 0);

function normed(row: readonly number[], weight: ArrayLike<number>, epsilon: number): number[] {
  const scale = 1 / Math.sqrt(dot(row, row) / row.length + epsilon);
  return row.map((value, index) => value * scale * weight[index]!);
}

/** x [N, C], weight [O, C] -> [N, O] */
const linear = (x: Rows, weight: ArrayLike<number>): Rows =>
  x.map((row) =>
    Array.from({ length: weight.length / row.length }, (_, out) =>
      row.reduce((sum, value, index) => sum + value * weight[out * row.length + index]!, 0),
    ),
  );

function rotated(head: readonly number[], position: number, theta: number): number[] {
  const half = head.length / 2;
  return head.map((value, index) => {
    const angle = position * theta ** (-(index % half) / half);
    const other = index < half ? -head[index + half]! : head[index - half]!;
    return value * Math.cos(angle) + other * Math.sin(angle);
  });
}

/** ids [T] -> the hidden states after the last norm [T, C] */
export function plainHidden(weights: Numbers, config: ModelConfig, ids: readonly number[]): Rows {
  const { width, heads, headWidth, normEpsilon, ropeTheta, layers } = config;
  const add = (a: Rows, b: Rows) => a.map((row, index) => row.map((value, at) => value + b[index]![at]!));
  const slice = (row: readonly number[], head: number) => row.slice(head * headWidth, (head + 1) * headWidth);
  let x = ids.map((id) => Array.from({ length: width }, (_, index) => weights["model.embed_tokens.weight"]![id * width + index]!));
  for (let layer = 0; layer < layers; layer++) {
    const of = (part: string) => weights[`model.layers.${layer}.${part}.weight`]!;
    const input = x.map((row) => normed(row, of("input_layernorm"), normEpsilon));
    const [q, k, v] = ["q_proj", "k_proj", "v_proj"].map((name) => linear(input, of(`self_attn.${name}`))) as [Rows, Rows, Rows];
    const turned = (row: readonly number[], head: number, name: string, position: number) =>
      rotated(normed(slice(row, head), of(`self_attn.${name}`), normEpsilon), position, ropeTheta);
    const mixed = q.map((row, t) =>
      Array.from({ length: heads }, (_, head) => {
        const query = turned(row, head, "q_norm", t);
        const powers = k.slice(0, t + 1).map((key, s) => Math.exp(dot(query, turned(key, head, "k_norm", s)) / Math.sqrt(headWidth)));
        const total = powers.reduce((sum, power) => sum + power, 0);
        return Array.from({ length: headWidth }, (__, at) =>
          powers.reduce((sum, power, s) => sum + (power / total) * slice(v[s]!, head)[at]!, 0),
        );
      }).flat(),
    );
    x = add(x, linear(mixed, of("self_attn.o_proj")));
    const middle = x.map((row) => normed(row, of("post_attention_layernorm"), normEpsilon));
    const [gate, up] = [linear(middle, of("mlp.gate_proj")), linear(middle, of("mlp.up_proj"))];
    const hidden = gate.map((row, index) => row.map((value, at) => (value / (1 + Math.exp(-value))) * up[index]![at]!));
    x = add(x, linear(hidden, of("mlp.down_proj")));
  }
  return x.map((row) => normed(row, weights["model.norm.weight"]!, normEpsilon));
}

/** ids [T] -> the mean of the hidden states, with length 1 [C] */
export function plainEmbedding(weights: Numbers, config: ModelConfig, ids: readonly number[]): number[] {
  const rows = plainHidden(weights, config, ids);
  const mean = rows[0]!.map((_, at) => rows.reduce((sum, row) => sum + row[at]!, 0) / rows.length);
  const length = Math.sqrt(dot(mean, mean));
  return mean.map((value) => value / length);
}
