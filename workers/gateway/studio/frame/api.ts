/**
 * Calls the gateway. The answers have the types of the contracts (shared/contracts) that the gateway uses too, so they are not
 * validated again. Every text in an answer is shown as plain text, never as markup.
 */

/** An error from the gateway, with the gateway's message. Status 0: no answer came. */
export class Refusal extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export const UNREACHABLE = "Tiffin does not answer. It may be starting: this page tries again by itself.";

async function refusalOf(response: Response): Promise<Refusal> {
  const body: unknown = await response.json().catch(() => null);
  const hasReason = typeof body === "object" && body !== null && "error" in body && typeof body.error === "string";
  return new Refusal(response.status, hasReason ? String((body as { error: string }).error) : `the answer has status ${response.status}`);
}

/** Sends a request and returns the response. Throws a Refusal unless the status is 2xx. */
export async function send(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<Response> {
  const response = await fetch(path, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
    ...(signal === undefined ? {} : { signal }),
  }).catch((error: Error) => {
    throw error.name === "AbortError" ? error : new Refusal(0, UNREACHABLE);
  });
  if (!response.ok) throw await refusalOf(response);
  return response;
}

/** Sends a request and returns the JSON of its answer, as a `T`. */
export async function call<T>(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<T> {
  return (await (await send(method, path, body, signal)).json()) as T;
}
