/** Count-based baselines that a model has to beat, in nats per token over the validation tokens but the first. */

type ReadShard = () => Promise<Uint16Array>;

/** Unigram with add-one smoothing, fitted on train and scored on val; one shard in memory at a time. 0 without val tokens. */
export async function unigramLoss(vocabSize: number, train: readonly ReadShard[], val: readonly ReadShard[]): Promise<number> {
  const counts = new Float64Array(vocabSize).fill(1);
  let total = vocabSize;
  for (const read of train) {
    const tokens = await read();
    for (const token of tokens) counts[token]! += 1;
    total += tokens.length;
  }
  let sum = 0;
  let scored = -1;
  for (const read of val) {
    for (const token of await read()) {
      if (scored >= 0) sum -= Math.log(counts[token]! / total);
      scored++;
    }
  }
  return scored > 0 ? sum / scored : 0;
}
