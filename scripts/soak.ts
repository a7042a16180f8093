/** `npm run soak -- NAME [--json] [--flag value]`: long tests of reliability. */
import { runBench } from "./cli/runner.ts";

await runBench("soak");
