/** `npm run trainer`: one more trainer process for the Tiffin that runs from this folder, until Ctrl-C. */
import { addTrainer } from "./local.ts";
import { stopOnExit } from "./processes.ts";

const stopping = new AbortController();
stopOnExit(() => stopping.abort());
const name = `trainer-${process.pid}`;
await addTrainer(name, stopping.signal);
console.log(`${name} is at work; its log is .tiffin/logs/${name}.log. Ctrl-C ends it: a task that it holds goes to another trainer.`);
setInterval(() => undefined, 60_000);
