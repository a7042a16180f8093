/**
 * Counts the gateway's requests. An isolate tells the ledger at its first request, and then at most once a minute. If it dies,
 * its last minute is lost.
 */
import { REQUEST_CPU_MS } from "../../shared/costs/gateway-cpu.ts";
import { log } from "../../shared/log.ts";

const REPORT_MS = 60_000;

let requests = 0;
let reportedAt = -Infinity;

export function countRequest(env: GatewayEnv, ctx: Pick<ExecutionContext, "waitUntil">): void {
  requests++;
  const now = Date.now();
  if (now - reportedAt < REPORT_MS) return;
  const counted = requests;
  requests = 0;
  reportedAt = now;
  const report = async (): Promise<void> => {
    try {
      await env.COORDINATOR.bookGateway({ requests: counted, cpuMilliseconds: counted * REQUEST_CPU_MS });
    } catch (error) {
      requests += counted;
      log("warn", `requests are not booked: ${(error as Error).message}; told again in a minute`);
    }
  };
  ctx.waitUntil(report());
}
