/** Gateway: the entry. Stub with the final contract. */
import { WorkerEntrypoint } from "cloudflare:workers";

export default class Gateway extends WorkerEntrypoint<GatewayEnv> {
  override async fetch(): Promise<Response> {
    return new Response("ok");
  }
}
