/** Checks that a config.json describes the architecture of this decoder. */

/** Fields that this decoder supports with these values only. `undefined`: the field may be absent. */
const FIXED: readonly (readonly [field: string, allowed: readonly unknown[]])[] = [
  ["model_type", ["qwen3"]],
  ["hidden_act", ["silu", undefined]],
  ["attention_bias", [false, null, undefined]],
  ["mlp_bias", [false, null, undefined]],
  ["rope_scaling", [null, undefined]],
  ["use_sliding_window", [false, null, undefined]],
  ["partial_rotary_factor", [1, null, undefined]],
  ["num_experts", [0, null, undefined]],
  ["quantization_config", [null, undefined]],
  ["tie_word_embeddings", [true, false, undefined]],
];

/** Throws an error that names the first unsupported field. */
export function refuseOtherArchitectures(file: string, json: unknown): asserts json is object {
  if (typeof json !== "object" || json === null) throw new Error(`${file}: expected a JSON object, got another value`);
  const fields = new Map<string, unknown>(Object.entries(json));
  for (const [field, allowed] of FIXED) {
    const value = fields.get(field);
    if (allowed.includes(value)) continue;
    const expected = allowed.map((each) => (each === undefined ? "no value" : JSON.stringify(each))).join(" or ");
    throw new Error(`${file}: ${field}: expected ${expected}, got ${JSON.stringify(value)?.slice(0, 200) ?? "no value"}`);
  }
}
