/** Checks the model name in requests of OpenAI's and Ollama's protocols. Tiffin answers only with its active model. */
import { HTTPException } from "hono/http-exception";

export const MODEL_NAME = "tiffin";

/** Throws 404 if the name is neither Tiffin's name nor the active model's hash. */
export async function requireModel(env: GatewayEnv, name: string): Promise<void> {
  if (name === MODEL_NAME || name === `${MODEL_NAME}:latest`) return;
  const { hash } = await env.GENERATOR.modelInfo();
  if (name !== hash)
    throw new HTTPException(404, { message: `model: expected ${MODEL_NAME} or the hash of the active model, got ${name}` });
}
