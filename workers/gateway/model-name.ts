/** The names by which clients of foreign protocols ask for the model: Tiffin answers with its active model only. */
import { HTTPException } from "hono/http-exception";

export const MODEL_NAME = "tiffin";

/** Throws 404 for a name that is neither Tiffin's nor the active model's hash. */
export async function requireModel(env: GatewayEnv, name: string): Promise<void> {
  if (name === MODEL_NAME || name === `${MODEL_NAME}:latest`) return;
  const { hash } = await env.GENERATOR.modelInfo();
  if (name !== hash)
    throw new HTTPException(404, { message: `model: expected ${MODEL_NAME} or the hash of the active model, got ${name}` });
}
