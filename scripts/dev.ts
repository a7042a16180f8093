/**
 * `npm run dev`: starts all Workers and trainers on this machine, until Ctrl-C. Options: `--port N`, `--trainers N`,
 * `--local-origin URL`.
 */
import { given, readOptions, webAddress, wholeNumber } from "./cli/options.ts";
import { stopOnExit, stopProcesses } from "./local/processes.ts";
import { startLocal, studioLink } from "./local/stack.ts";

const USAGE = "npm run dev -- [--port N] [--trainers N] [--local-origin URL]";
const OPTIONS = { port: { type: "string" }, trainers: { type: "string" }, "local-origin": { type: "string" } } as const;
const options = readOptions(USAGE, OPTIONS, ({ port, trainers, "local-origin": localOrigin }) =>
  given({
    port: wholeNumber("port", port, 1, 65_535),
    trainers: wholeNumber("trainers", trainers, 1, 64),
    localOrigin: webAddress("local-origin", localOrigin),
  }),
);
stopOnExit();
try {
  const local = await startLocal(options);
  console.log(
    `Tiffin is up. Studio: ${await studioLink(local.url, local.token)}\nThe API is at ${local.url}; the operator's token is OPERATOR_TOKEN in .dev.vars, logs are in .tiffin/logs. Ctrl-C stops it.`,
  );
  setInterval(() => undefined, 60_000);
} catch (error) {
  console.error((error as Error).message);
  await stopProcesses();
  process.exit(1);
}
