/** An ONNX file is read back by the rules of protocol buffers. The bench checks that runtimes compute the same results with it. */
import { describe, expect, test } from "vitest";
import { bytesOfFile } from "../../../shared/interchange/output-file.ts";
import { EXPORT_TYPES, type OnnxType } from "../../../shared/interchange/formats.ts";
import { onnxFile } from "../../../shared/interchange/onnx-writer.ts";
import { weightShapes } from "../../../shared/model/weights.ts";
import { varint } from "../../../shared/interchange/protobuf.ts";
import { randomModel } from "../../../scripts/bench/support/interchange/random-model.ts";

type Fields = Map<number, (Uint8Array | bigint)[]>;

/** The fields of a message, by number. */
function fieldsOf(bytes: Uint8Array): Fields {
  const fields: Fields = new Map();
  let at = 0;
  const number = () => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++]!;
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.byteLength) {
    const tag = Number(number());
    let value: Uint8Array | bigint;
    if ((tag & 7) === 0) value = number();
    else {
      const length = (tag & 7) === 5 ? 4 : Number(number());
      value = bytes.subarray(at, at + length);
      at += length;
    }
    fields.set(tag >> 3, [...(fields.get(tag >> 3) ?? []), value]);
  }
  expect(at).toBe(bytes.byteLength);
  return fields;
}
const messages = (fields: Fields, field: number) => (fields.get(field) ?? []) as Uint8Array[];
const texts = (fields: Fields, field: number) => messages(fields, field).map((bytes) => new TextDecoder().decode(bytes));

/** The operators of opset 17 that the graph may use. None of them exists only in onnxruntime. */
const OPERATORS = new Set(
  "Add And Cast Concat Cos DequantizeLinear Div Gather Gemm LessOrEqual MatMul Mul Range ReduceMean Reshape Shape Sigmoid Sin Softmax Split Sqrt Squeeze Sub Transpose Unsqueeze Where".split(
    " ",
  ),
);

const isSame = (data: Uint8Array, values: Float32Array<ArrayBuffer>) => Buffer.from(data).equals(new Uint8Array(values.buffer));

describe.each([
  ["an untied model", {}],
  ["a tied model of one key head", { tiedEmbeddings: true, kvHeads: 1 }],
])("%s", (_, changes) => {
  const model = randomModel(changes);

  test.each(EXPORT_TYPES.onnx)("is in %s a graph of standard operators in which each value is made before it is used", async (type) => {
    const file = fieldsOf(await bytesOfFile(onnxFile(model, type)));
    expect([file.get(1), fieldsOf(messages(file, 8)[0]!).get(2)]).toEqual([[8n], [17n]]);
    const graph = fieldsOf(messages(file, 7)[0]!);
    const nameOf = (bytes: Uint8Array, field: number) => texts(fieldsOf(bytes), field)[0]!;
    const known = new Set([
      ...messages(graph, 11).map((value) => nameOf(value, 1)),
      ...messages(graph, 5).map((tensor) => nameOf(tensor, 8)),
    ]);
    for (const bytes of messages(graph, 1)) {
      const node = fieldsOf(bytes);
      expect(OPERATORS.has(texts(node, 4)[0]!)).toBe(true);
      expect(texts(node, 1).filter((name) => !known.has(name))).toEqual([]);
      const outputs = texts(node, 2);
      expect(outputs.filter((name) => known.has(name))).toEqual([]);
      for (const name of outputs) known.add(name);
    }
    const pairs = [0, 1].flatMap((layer) => ["key", "value"].map((kind) => `${layer}.${kind}`));
    expect(messages(graph, 11).map((value) => nameOf(value, 1))).toEqual([
      "input_ids",
      "attention_mask",
      "position_ids",
      ...pairs.map((pair) => `past_key_values.${pair}`),
    ]);
    const outputs = messages(graph, 12).map((value) => nameOf(value, 1));
    expect(outputs).toEqual(["logits", ...pairs.map((pair) => `present.${pair}`)]);
    expect(outputs.filter((name) => !known.has(name))).toEqual([]);
  });

  /** The tensors of a file by name. Each name must be there once. */
  const tensorsOf = async (type: OnnxType) => {
    const graph = fieldsOf(messages(fieldsOf(await bytesOfFile(onnxFile(model, type))), 7)[0]!);
    const tensors = messages(graph, 5).map(fieldsOf);
    const named = new Map(
      tensors.map((tensor) => [texts(tensor, 8)[0]!, { type: tensor.get(2)![0], data: messages(tensor, 9)[0]!.slice() }]),
    );
    expect(named.size).toBe(tensors.length);
    return named;
  };
  test("holds every parameter once, bit for bit", async () => {
    const tensors = await tensorsOf("F32");
    for (const [name, values] of model.values) expect([name, isSame(tensors.get(name)!.data, values)]).toEqual([name, true]);
  });

  const shapes = weightShapes(model.config);

  test("holds every vector bit for bit in INT8 too", async () => {
    const tensors = await tensorsOf("INT8");
    for (const [name] of shapes.filter(([, shape]) => shape.length === 1))
      expect([name, isSame(tensors.get(name)!.data, model.values.get(name)!)]).toEqual([name, true]);
  });

  test("holds in INT8 every matrix as the nearest multiples of a scale per row, of which the largest is 127", async () => {
    const tensors = await tensorsOf("INT8");
    for (const [name, [rows = 1, columns = 1]] of shapes.filter(([, shape]) => shape.length === 2)) {
      const { type, data } = tensors.get(name)!;
      const scales = new Float32Array(tensors.get(`${name}_scale`)!.data.buffer);
      const digits = new Int8Array(data.buffer);
      // TensorProto.DataType.INT8 is 3.
      expect([name, type, scales.length, digits.length]).toEqual([name, 3n, rows, rows * columns]);
      // A rounded value is at most half a scale away; float32 adds a rounding error.
      const wrong = model.values.get(name)!.filter((value, at) => {
        const scale = scales[Math.floor(at / columns)]!;
        return Math.abs(value - scale * digits[at]!) > scale * 0.500_01;
      });
      const largest = Array.from(scales.keys(), (row) => Math.max(...digits.subarray(row * columns, (row + 1) * columns).map(Math.abs)));
      expect([name, wrong.length, largest.filter((digit) => digit !== 127)]).toEqual([name, 0, []]);
    }
  });
});

test("numbers are written in groups of seven bits", () => {
  // The examples of protobuf.dev/programming-guides/encoding.
  expect([...varint(150)]).toEqual([0x96, 0x01]);
  expect([...varint(0)]).toEqual([0]);
  expect([...varint(-2)]).toEqual([254, 255, 255, 255, 255, 255, 255, 255, 255, 1]);
});
