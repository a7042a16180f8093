/** Gateway: the one public door of Tiffin. What every request passes is in app.ts, each protocol in a folder of its own. */
import { WorkerEntrypoint } from "cloudflare:workers";
import { app } from "./app.ts";

export default class Gateway extends WorkerEntrypoint<GatewayEnv> {
  override async fetch(request: Request): Promise<Response> {
    return app.fetch(request, this.env, this.ctx);
  }
}
