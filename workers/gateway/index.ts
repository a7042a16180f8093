/** Gateway: the one public door. The routes are in routes.ts, what they do in app.ts. */
import { WorkerEntrypoint } from "cloudflare:workers";
import { app } from "./app.ts";

export default class Gateway extends WorkerEntrypoint<GatewayEnv> {
  override async fetch(request: Request): Promise<Response> {
    return app.fetch(request, this.env, this.ctx);
  }
}
