/** `npm run soak -- NAME [--json] [--flag value]`: long proofs of reliability. */
import { runNamed } from "./named.ts";

await runNamed("soak");
