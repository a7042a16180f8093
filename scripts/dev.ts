/** `npm run dev`: all Workers and trainers on this machine, until Ctrl-C. `--port N`, `--trainers N`, `--local-origin URL`. */
import { parseArgs } from "node:util";
import { startLocal } from "./local.ts";
import { stopOnExit } from "./processes.ts";

const { values } = parseArgs({
  options: { port: { type: "string" }, trainers: { type: "string" }, "local-origin": { type: "string" } },
});
stopOnExit();
const local = await startLocal({
  ...(values.port === undefined ? {} : { port: Number(values.port) }),
  ...(values.trainers === undefined ? {} : { trainers: Number(values.trainers) }),
  ...(values["local-origin"] === undefined ? {} : { localOrigin: values["local-origin"] }),
});
console.log(`Tiffin is up at ${local.url}; the operator's token is OPERATOR_TOKEN in .dev.vars, logs are in .tiffin/logs. Ctrl-C ends it.`);
setInterval(() => undefined, 60_000);
