/** `npm run soak -- NAME [--json] [--flag value]`: long proofs of reliability. */
import { runNamed } from "./cli/runner.ts";

await runNamed("soak");
