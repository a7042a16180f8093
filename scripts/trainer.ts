/** `npm run trainer`: one more trainer process for the Tiffin that runs from this folder, until Ctrl-C. */
import { Client } from "./local/client.ts";
import { addTrainer, runningLocal } from "./local/stack.ts";
import { readOptions } from "./cli/options.ts";
import { endWith, stopOnExit, stopProcesses } from "./local/processes.ts";

readOptions("npm run trainer", {}, () => undefined);
const stopping = new AbortController();
stopOnExit(() => stopping.abort());
const name = `trainer-${process.pid}`;
try {
  const { url, token } = runningLocal();
  // Else it would wait for work for ever.
  await new Client(url, token).call("GET", "/runs");
  endWith(name, await addTrainer(name, stopping.signal));
  console.log(`${name} is at work; its log is .tiffin/logs/${name}.log. Ctrl-C ends it: a task that it holds goes to another trainer.`);
  setInterval(() => undefined, 60_000);
} catch (error) {
  console.error((error as Error).message);
  await stopProcesses();
  process.exit(1);
}
