/**
 * Calls of the gateway. Answers are typed by the contracts that the gateway itself answers by; nothing is validated here a
 * second time, and every text in them is shown as text only.
 */

/** A refusal, in the gateway's own words. Status 0: no answer at all. */
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

/** The same, with the answer as JSON of the contract that the caller names. */
export async function call<T>(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<T> {
  return (await (await send(method, path, body, signal)).json()) as T;
}
