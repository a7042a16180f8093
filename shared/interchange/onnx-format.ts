/**
 * Encodes the messages of an ONNX file (github.com/onnx/onnx, onnx/onnx.proto), and builds graphs. The head of a tensor's
 * message is written without its data; the caller writes the data after the head.
 */
import { joined } from "../bytes/joined.ts";
import { bytesField, floatField, intField, lengthField, varint } from "./protobuf.ts";

export const DATA_TYPES = { float: 1, int8: 3, int64: 7, bool: 9 } as const;
export type DataType = keyof typeof DATA_TYPES;

/** Opset 17 came with IR version 8. */
const IR_VERSION = 8;
const OPSET = 17;

type Attribute = number | string | readonly number[] | { float: number };

/** Encodes an AttributeProto. Field 20 is the number of the value's type. */
function attributeMessage(name: string, value: Attribute): Uint8Array {
  const parts = [bytesField(1, name)];
  if (typeof value === "number") parts.push(intField(3, value), intField(20, 2));
  else if (typeof value === "string") parts.push(bytesField(4, value), intField(20, 3));
  else if ("float" in value) parts.push(floatField(2, value.float), intField(20, 1));
  else parts.push(...value.map((item) => intField(8, item)), intField(20, 7));
  return joined(parts);
}

/** Encodes the head of a TensorProto; `bytes` bytes of data must follow. */
export function tensorHead(name: string, shape: readonly number[], type: DataType, bytes: number): Uint8Array {
  const dims = bytesField(1, joined(shape.map(varint)));
  return joined([dims, intField(2, DATA_TYPES[type]), bytesField(8, name), lengthField(9, bytes)]);
}

function valueMessage(name: string, type: DataType, shape: readonly (number | string)[]): Uint8Array {
  const dims = shape.map((axis) => bytesField(1, typeof axis === "number" ? intField(1, axis) : bytesField(2, axis)));
  const tensorType = joined([intField(1, DATA_TYPES[type]), bytesField(2, joined(dims))]);
  return joined([bytesField(1, name), bytesField(2, bytesField(1, tensorType))]);
}

/** Collects nodes, constants, inputs and outputs. Values are identified by name. */
export class GraphBuilder {
  readonly #nodes: Uint8Array[] = [];
  readonly #inputs: Uint8Array[] = [];
  readonly #outputs: Uint8Array[] = [];
  readonly #constants = new Map<string, Uint8Array>();
  #count = 0;

  /** Adds a node with one output and returns the output's name. */
  node(op: string, inputs: readonly string[], attributes: Readonly<Record<string, Attribute>> = {}, output = `v${this.#count++}`): string {
    this.#add(op, inputs, [output], attributes);
    return output;
  }

  /** Adds a node with several outputs and returns their names. */
  nodes(op: string, inputs: readonly string[], outputs: number, attributes: Readonly<Record<string, Attribute>> = {}): string[] {
    const names = Array.from({ length: outputs }, () => `v${this.#count++}`);
    this.#add(op, inputs, names, attributes);
    return names;
  }

  #add(op: string, inputs: readonly string[], outputs: readonly string[], attributes: Readonly<Record<string, Attribute>>): void {
    this.#nodes.push(
      joined([
        ...inputs.map((name) => bytesField(1, name)),
        ...outputs.map((name) => bytesField(2, name)),
        bytesField(3, `n${this.#nodes.length}`),
        bytesField(4, op),
        ...Object.entries(attributes).map(([name, value]) => bytesField(5, attributeMessage(name, value))),
      ]),
    );
  }

  /** Adds an integer constant and returns its name. A single number becomes a scalar. Equal constants are stored once. */
  ints(values: number | readonly number[]): string {
    const list = typeof values === "number" ? [values] : values;
    return this.#constant(
      `i${typeof values === "number" ? "" : "s"}_${list.join("_")}`,
      "int64",
      typeof values === "number" ? [] : [list.length],
      BigInt64Array.from(list, BigInt),
    );
  }

  /** Adds a float constant and returns its name. */
  floats(values: number | Float32Array): string {
    const list = typeof values === "number" ? Float32Array.of(values) : values;
    return this.#constant(
      `f_${typeof values === "number" ? values : `table${this.#constants.size}`}`,
      "float",
      typeof values === "number" ? [] : [list.length],
      list,
    );
  }

  #constant(name: string, type: DataType, shape: readonly number[], data: BigInt64Array | Float32Array): string {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    if (!this.#constants.has(name)) this.#constants.set(name, joined([tensorHead(name, shape, type, bytes.byteLength), bytes]));
    return name;
  }

  input(name: string, type: DataType, shape: readonly (number | string)[]): string {
    this.#inputs.push(valueMessage(name, type, shape));
    return name;
  }

  output(name: string, type: DataType, shape: readonly (number | string)[]): void {
    this.#outputs.push(valueMessage(name, type, shape));
  }

  /** Encodes the file up to its weights. The weights must follow as more fields of the graph, with `weightBytes` bytes. */
  modelHead(name: string, metadata: Readonly<Record<string, string>>, weightBytes: number): Uint8Array {
    const graph = joined([
      ...this.#nodes.map((node) => bytesField(1, node)),
      bytesField(2, name),
      ...[...this.#constants.values()].map((constant) => bytesField(5, constant)),
      ...this.#inputs.map((value) => bytesField(11, value)),
      ...this.#outputs.map((value) => bytesField(12, value)),
    ]);
    const properties = Object.entries(metadata).map(([key, value]) => bytesField(14, joined([bytesField(1, key), bytesField(2, value)])));
    return joined([
      intField(1, IR_VERSION),
      bytesField(2, "tiffin"),
      bytesField(8, joined([bytesField(1, ""), intField(2, OPSET)])),
      ...properties,
      // The graph is the last field, so the weights can follow it.
      lengthField(7, graph.byteLength + weightBytes),
      graph,
    ]);
  }
}

/** Encodes the head of a weight, which is a field of the graph. The weight's data must follow. */
export function initializerHead(name: string, shape: readonly number[], type: DataType, bytes: number): Uint8Array {
  const head = tensorHead(name, shape, type, bytes);
  return joined([lengthField(5, head.byteLength + bytes), head]);
}
