/**
 * A door is one protocol of the gateway: a list of routes, handlers that translate its requests to calls of the Workers and
 * their answers back, and its form of an error. What all doors share (size and type of bodies, authorization, limits) is in
 * app.ts. A new protocol is one folder with a door.ts, listed in doors.ts.
 */
import { OpenAPIHono, type createRoute } from "@hono/zod-openapi";
import type { Context } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";

/** The context of a handler: the gateway's bindings, and the door by which the request came. */
export interface GatewayContext {
  Bindings: GatewayEnv;
  Variables: { door: Door };
}

export type Route = ReturnType<typeof createRoute>;

export interface BodyRule {
  /** The media type, without parameters. */
  type: string;
  maxBytes: number;
}

export interface Door {
  /** The beginning of its paths. */
  prefix: string;
  /** Lets pages of any origin use the routes that are open to everyone. */
  isOpenToPages?: true;
  /** Reads a body as JSON whatever its content type says. */
  readsAnyType?: true;
  routes: readonly Route[];
  handlers: OpenAPIHono<GatewayContext>;
  /** The body that a method takes where it is not JSON of a few kilobytes; null where it is. */
  bodyOf?(method: string): BodyRule | null;
  /** The body of an error in the door's protocol. */
  errorBody(status: number, message: string): object;
}

/** Handlers that refuse a request whose parts do not fit their schemas, each by its name. */
export function createHandlers(): OpenAPIHono<GatewayContext> {
  return new OpenAPIHono<GatewayContext>({
    defaultHook: (result, c) => {
      if (result.success) return undefined;
      const { issues } = result.error;
      return refuse(c, 400, issues.map(({ path, message }) => `${path.join(".") || "body"}: ${message}`).join("; "));
    },
  });
}

/** An error answer in the form of the door by which the request came. */
export function refuse(c: Context<GatewayContext>, status: ContentfulStatusCode, message: string): Response {
  return c.json(c.var.door.errorBody(status, message), status);
}
