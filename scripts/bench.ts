/** `npm run bench -- NAME [--json] [--flag value]`: measures speed and memory. */
import { runBench } from "./cli/runner.ts";

await runBench("bench");
