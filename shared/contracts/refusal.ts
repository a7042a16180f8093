/** The answer to every request that is refused or fails, except where another protocol has a form of its own. */
import { z } from "zod";

/** Says what was expected and what came. */
export const refusalSchema = z.object({ error: z.string() });
