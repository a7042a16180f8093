/** The JSON body of every refused or failed request, except where another protocol defines its own body. */
import { z } from "zod";

/** The message says what was expected and what was received. */
export const refusalSchema = z.object({ error: z.string() });
