/** Gateway: the only public entrance of Tiffin. The checks of every request are in app.ts; each protocol has its own folder. */
import { WorkerEntrypoint } from "cloudflare:workers";
import { countRequest } from "./account.ts";
import { app } from "./app.ts";

export default class Gateway extends WorkerEntrypoint<GatewayEnv> {
  override async fetch(request: Request): Promise<Response> {
    countRequest(this.env, this.ctx);
    return app.fetch(request, this.env, this.ctx);
  }
}
