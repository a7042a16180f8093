/** The labels of a text, and what the layers of the network compute for it (POST /classify). */
import type { Classification, ClassifyRequest } from "../../shared/contracts/classify.ts";
import { featuresOf, inputOf, inputsOf } from "../../shared/lessons/features.ts";
import { layerOutputs, softmax } from "../../shared/model/dense/network.ts";
import { denseShape } from "../../shared/model/dense/weights.ts";
import { account } from "./account.ts";
import type { Classifier } from "./classifier.ts";
import { rounded } from "./rounded.ts";

export function classify({ hash, config, layers }: Classifier, { text, context = {}, activations }: ClassifyRequest): Classification {
  const features = featuresOf(text, context);
  account.count(features.length);
  const outputs = layerOutputs(
    denseShape(config),
    layers,
    inputsOf(
      features.map((feature) => feature.hash),
      config.features,
    ),
  );
  const logits = outputs.at(-1)!;
  const { probabilities } = softmax(logits);
  const order = [...probabilities.keys()].toSorted((a, b) => probabilities[b]! - probabilities[a]!);
  const labels = order.map((index) => ({ label: config.labels[index]!, probability: probabilities[index]! }));
  if (!activations) return { labels, model: hash };
  return {
    labels,
    model: hash,
    activations: {
      features: features.map((feature) => ({ name: feature.name, input: inputOf(feature.hash, config.features) })),
      activation: config.activation,
      hidden: outputs.slice(0, -1).map(rounded),
      logits: rounded(order.map((index) => logits[index]!)),
    },
  };
}
