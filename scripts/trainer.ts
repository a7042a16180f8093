/** `npm run trainer`: adds a trainer process to the Tiffin that runs from this folder, until Ctrl-C. */
import { readOptions } from "./cli/options.ts";
import { Client } from "./local/client.ts";
import { endWith, stopOnExit, stopProcesses } from "./local/processes.ts";
import { addTrainer, runningLocal } from "./local/stack.ts";

readOptions("npm run trainer", {}, () => undefined);
const stopping = new AbortController();
stopOnExit(() => stopping.abort());
const name = `trainer-${process.pid}`;
try {
  const { url, token } = runningLocal();
  // This call fails if Tiffin has ended. The trainer itself would wait for work forever.
  await new Client(url, token).send("GET", "/runs");
  endWith(name, await addTrainer(name, stopping.signal));
  console.log(`${name} is at work; its log is .tiffin/logs/${name}.log. Ctrl-C stops it, and its current task goes to another trainer.`);
  setInterval(() => undefined, 60_000);
} catch (error) {
  console.error((error as Error).message);
  await stopProcesses();
  process.exit(1);
}
