/**
 * Lets the thread's other tasks run. A browser's timer would wait at least four milliseconds, which is longer than a token takes.
 * So browsers use messages to themselves.
 */

const waiting: (() => void)[] = [];
let channel: MessageChannel | null = null;

export function nextTurn(): Promise<void> {
  const { setImmediate } = globalThis as { setImmediate?: (run: () => void) => void };
  // Node uses setImmediate, because an open channel would keep its process alive.
  if (setImmediate !== undefined) return new Promise((resolve) => setImmediate(resolve));
  if (channel === null) {
    channel = new MessageChannel();
    channel.port1.addEventListener("message", () => waiting.shift()?.());
    channel.port1.start();
  }
  const { port2 } = channel;
  return new Promise((resolve) => {
    waiting.push(resolve);
    port2.postMessage(null);
  });
}
