/** The kinds of networks. This file imports no schemas, so the browser's runtime stays small. */
import type { ModelConfig } from "./config.ts";
import type { DenseConfig, NetworkConfig } from "./network-config.ts";

export const isDense = (network: NetworkConfig): network is DenseConfig => "labels" in network;

/** Throws an error if the network is not a decoder. */
export function asDecoder(network: NetworkConfig): ModelConfig {
  if (isDense(network)) throw new Error("model: expected a decoder, got a dense network");
  return network;
}

/** Throws an error if the network is not dense. */
export function asDense(network: NetworkConfig): DenseConfig {
  if (!isDense(network)) throw new Error("model: expected a dense network, got a decoder");
  return network;
}

/** What a network does with a text: it continues it, scores it or labels it. One model of each kind is active. */
export const MODEL_KINDS = ["language", "reward", "classifier"] as const;
export type ModelKind = (typeof MODEL_KINDS)[number];

export function kindOf(network: NetworkConfig): ModelKind {
  if (isDense(network)) return "classifier";
  return network.isScored ? "reward" : "language";
}
