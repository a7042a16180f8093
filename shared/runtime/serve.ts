/** Serves one model to the page behind a port. The page can stop a stream between two tokens. */
import type { LoadOptions, LocalModel } from "./local-model.ts";
import { listen, type Port, type Reply, type Request, type Results } from "./messages.ts";

export function serve(port: Port, load: (source: string, options: LoadOptions) => Promise<LocalModel>): void {
  let loaded: LocalModel | null = null;
  const stopped = new Set<number>();

  const model = (): LocalModel => {
    if (loaded === null) throw new Error("worker: expected load to be called first, it was not");
    return loaded;
  };

  async function answer(id: number, request: Request): Promise<Results[keyof Results]> {
    const reply = (message: Reply) => port.postMessage({ id, ...message });
    switch (request.call) {
      case "load": {
        const { source, token, precision } = request;
        const onProgress = (done: number, total: number) => reply({ kind: "progress", done, total });
        loaded = await load(source, {
          onProgress,
          ...(token === undefined ? {} : { token }),
          ...(precision === undefined ? {} : { precision }),
        });
        return loaded.config;
      }
      case "tokenize":
        return model().tokenize(request.text);
      case "detokenize":
        return model().detokenize(request.ids);
      case "logits":
        return model().logits(request.ids);
      case "stream":
        for await (const text of model().stream(request.prompt, request.options)) {
          if (stopped.delete(id)) return null;
          reply({ kind: "delta", text });
        }
        return null;
      case "stop":
        stopped.add(request.stream);
        return null;
      case "dispose":
        await model().dispose();
        loaded = null;
        return null;
      default:
        return request satisfies never;
    }
  }

  listen<{ id: number } & Request>(port, ({ id, ...request }) => {
    answer(id, request as Request).then(
      (value) => port.postMessage({ id, kind: "result", value }),
      (error: unknown) => port.postMessage({ id, kind: "error", message: (error as Error).message }),
    );
  });
}
