/** Connects a page to a model in a worker. The result has the interface of a model in the page's own thread. */
import type { LoadOptions, LocalModel } from "./local-model.ts";
import { listen, type Port, type Reply, type Request, type Results } from "./messages.ts";

type Receive = (reply: Reply) => void;

export async function connect(port: Port, source: string, { token, precision, onProgress }: LoadOptions = {}): Promise<LocalModel> {
  let last = 0;
  const receivers = new Map<number, Receive>();
  const leave = listen<{ id: number } & Reply>(port, ({ id, ...reply }) => receivers.get(id)?.(reply as Reply));

  /** Sends a call. `receive` gets its replies, the last one included. */
  function send(request: Request, receive: Receive): number {
    const id = ++last;
    receivers.set(id, (reply) => {
      if (reply.kind === "result" || reply.kind === "error") receivers.delete(id);
      receive(reply);
    });
    port.postMessage({ id, ...request });
    return id;
  }

  const call = <Call extends Request["call"]>(request: Extract<Request, { call: Call }>, receive: Receive = () => undefined) =>
    new Promise<Results[Call]>((resolve, reject) => {
      send(request, (reply) => {
        if (reply.kind === "error") reject(new Error(reply.message));
        else if (reply.kind === "result") resolve(reply.value as Results[Call]);
        else receive(reply);
      });
    });

  const loading = call<"load">({ call: "load", source, token, precision }, (reply) => {
    if (reply.kind === "progress") onProgress?.(reply.done, reply.total);
  });
  loading.catch(leave);
  const config = await loading;

  async function* stream(...[prompt, options = {}]: Parameters<LocalModel["stream"]>): AsyncGenerator<string> {
    const replies: Reply[] = [];
    let arrived = Promise.withResolvers<void>();
    let isOver = false;
    const id = send({ call: "stream", prompt, options }, (reply) => {
      replies.push(reply);
      arrived.resolve();
    });
    try {
      for (;;) {
        const reply = replies.shift();
        if (reply === undefined) {
          await arrived.promise;
          arrived = Promise.withResolvers();
          continue;
        }
        isOver = reply.kind === "result" || reply.kind === "error";
        if (reply.kind === "error") throw new Error(reply.message);
        if (isOver) return;
        if (reply.kind === "delta") yield reply.text;
      }
    } finally {
      if (!isOver) await call<"stop">({ call: "stop", stream: id });
    }
  }

  return {
    config,
    tokenize: (text) => call<"tokenize">({ call: "tokenize", text }),
    detokenize: (ids) => call<"detokenize">({ call: "detokenize", ids }),
    logits: (ids) => call<"logits">({ call: "logits", ids }),
    stream,
    async generate(prompt, options) {
      let text = "";
      for await (const delta of stream(prompt, options)) text += delta;
      return text;
    },
    async dispose() {
      await call<"dispose">({ call: "dispose" });
      leave();
    },
  };
}
