/**
 * A door is one protocol of the gateway: a list of routes, the handlers, and the form of its errors. Handlers translate
 * requests to calls of the Workers, and the Workers' answers back. The checks that all doors share (size and type of bodies,
 * authorization, rate limits) are in app.ts. A new protocol is one folder with a door.ts, listed in doors.ts.
 */
import { OpenAPIHono, type createRoute } from "@hono/zod-openapi";
import type { Context } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";

/** The context of a handler: the gateway's bindings and the door of the request. */
export interface GatewayContext {
  Bindings: GatewayEnv;
  /**
   * The request's id: every log line of the request has it, the answer has it in the header x-request-id, and a generated answer
   * has it as its own id.
   */
  Variables: {
    door: Door;
    requestId: string;
    /** The id of the client's key. */
    key?: string;
  };
}

export type Route = ReturnType<typeof createRoute>;

export interface BodyRule {
  /** The media type without parameters. */
  type: string;
  maxBytes: number;
}

export interface Door {
  /** The start of the door's paths. */
  prefix: string;
  /** Lets web pages of any origin use the open routes. */
  isOpenToPages?: true;
  /** Reads every body as JSON, whatever the content type. */
  readsAnyType?: true;
  routes: readonly Route[];
  handlers: OpenAPIHono<GatewayContext>;
  /** The body that a method takes; null for JSON of at most 64 KB. */
  bodyOf?(method: string): BodyRule | null;
  /** The body of an error, in the door's protocol. */
  errorBody(status: number, message: string): object;
}

/** Creates handlers that refuse requests whose fields do not fit the schemas. The error names each field. */
export function createHandlers(): OpenAPIHono<GatewayContext> {
  return new OpenAPIHono<GatewayContext>({
    defaultHook: (result, c) => {
      if (result.success) return undefined;
      const { issues } = result.error;
      return refuse(c, 400, issues.map(({ path, message }) => `${path.join(".") || "body"}: ${message}`).join("; "));
    },
  });
}

/** An error response in the form of the request's door. */
export function refuse(c: Context<GatewayContext>, status: ContentfulStatusCode, message: string): Response {
  return c.json(c.var.door.errorBody(status, message), status);
}
