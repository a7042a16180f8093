/** `npm run bench -- NAME [--json] [--flag value]`: speed and memory, measured. */
import { runBench } from "./cli/runner.ts";

await runBench("bench");
