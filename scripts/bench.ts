/** `npm run bench -- NAME [--json] [--flag value]`: speed and memory, measured. */
import { runNamed } from "./cli/runner.ts";

await runNamed("bench");
