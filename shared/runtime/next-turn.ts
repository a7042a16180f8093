/** Lets the other tasks of the thread run. A timer of a browser waits at least four milliseconds, longer than a token takes. */

const waiting: (() => void)[] = [];
let channel: MessageChannel | null = null;

export function nextTurn(): Promise<void> {
  const { setImmediate } = globalThis as { setImmediate?: (run: () => void) => void };
  // An open channel would keep Node's process alive.
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
