/** All Workers with their own configurations, the gateway in front, on a free port of loopback. */
import { createTestHarness } from "wrangler";
import { configPath, WORKERS } from "../../local/workers.ts";

export const OPERATOR_TOKEN = "token-of-the-bench";

export function allWorkers(): ReturnType<typeof createTestHarness> {
  const [gateway, ...others] = WORKERS.toReversed().map(({ name }) => ({ configPath: configPath(name) }));
  return createTestHarness({ workers: [{ ...gateway!, secrets: { OPERATOR_TOKEN } }, ...others] });
}
