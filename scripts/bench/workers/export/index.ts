/**
 * Bench Worker. GET /?format=gguf&type=F16 exports a model of preset `base`. Its parts come from outside. The code is the
 * coordinator's export, with one buffer for parts as in the coordinator. The bench measures the memory of the process.
 */
import { presetOf } from "../../../../shared/config.ts";
import { fixedStream } from "../../../../shared/bytes/fixed-stream.ts";
import { createRoom, readInto } from "../../../../shared/bytes/read-into.ts";
import { exportFiles } from "../../../../shared/interchange/export-formats.ts";
import { EXPORT_FORMATS } from "../../../../shared/interchange/formats.ts";
import { createParameterReader, type PublishedModel } from "../../../../shared/interchange/published-model.ts";
import { readTar, sizeOfTar } from "../../../../shared/interchange/tar.ts";
import { emptyProvenance, tableOf } from "../../support/interchange/random-model.ts";

function modelOf(origin: string): PublishedModel {
  const { model, vocabSize } = presetOf("base");
  const config = { ...model, vocabSize };
  let buffer = createRoom(0);
  const parameters = createParameterReader(config, async (index) => {
    const response = await fetch(`${origin}/parts/${index}`);
    const size = Number(response.headers.get("content-length"));
    const bytes = await readInto(response.body!, buffer.byteLength > size ? buffer : createRoom(size), size);
    buffer = bytes.buffer;
    return bytes;
  });
  const provenance = emptyProvenance(config);
  return { hash: provenance.checkpoint, config, tokenizer: tableOf(vocabSize), endTokens: [0], chatTemplate: "", provenance, parameters };
}

export default {
  async fetch(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const format = EXPORT_FORMATS.find((each) => each === url.searchParams.get("format"));
    if (format === undefined) return new Response("idle");
    const files = exportFiles(modelOf("http://parts"), format, url.searchParams.get("type") ?? undefined);
    return new Response(fixedStream(readTar("model", files), sizeOfTar(files)));
  },
} satisfies ExportedHandler;
