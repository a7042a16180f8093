/** The operator's Cloudflare login: an API token and the account of the deployment. */
import { z } from "zod";
import { CloudflareApi } from "./api.ts";
import { runWrangler } from "./wrangler.ts";

const accounts = z.array(z.object({ id: z.string(), name: z.string() }));
const authToken = z.object({ token: z.string() });

export interface Login {
  api: CloudflareApi;
  /** Environment variables that make wrangler use the same account. */
  env: Readonly<Record<string, string>>;
}

/** CLOUDFLARE_API_TOKEN or, if it is not set, the token of `wrangler login`. */
async function tokenOf(): Promise<string> {
  const given = process.env["CLOUDFLARE_API_TOKEN"];
  if (given !== undefined && given !== "") return given;
  try {
    const { stdout } = await runWrangler(["auth", "token", "--json"]);
    return authToken.parse(JSON.parse(stdout.slice(stdout.indexOf("{")))).token;
  } catch (error) {
    throw new Error("no Cloudflare login found. Run `npx wrangler login`, or set CLOUDFLARE_API_TOKEN.", { cause: error });
  }
}

export async function login(): Promise<Login> {
  const token = await tokenOf();
  const known = await new CloudflareApi(token).call("GET", "/accounts", accounts);
  const wanted = process.env["CLOUDFLARE_ACCOUNT_ID"];
  const found = wanted === undefined ? known : known.filter(({ id }) => id === wanted);
  const [account] = found;
  if (account === undefined || found.length > 1) {
    const list = known.map(({ id, name }) => `${id} (${name})`).join(", ") || "none";
    throw new Error(`expected one Cloudflare account, got ${wanted ?? "several"}. Set CLOUDFLARE_ACCOUNT_ID to one of: ${list}`);
  }
  return { api: new CloudflareApi(token, account.id), env: { CLOUDFLARE_API_TOKEN: token, CLOUDFLARE_ACCOUNT_ID: account.id } };
}
