/** `npm run bench -- NAME [--json] [--flag value]`: speed and memory, measured. */
import { runNamed } from "./named.ts";

await runNamed("bench");
