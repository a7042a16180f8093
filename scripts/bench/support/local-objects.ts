/** Objects of a local R2 bucket. wrangler writes and reads them, so this file does not depend on wrangler's storage format. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { StoredObject } from "../../local/dataset-objects.ts";
import { runProcess } from "../../local/processes.ts";
import { configPath } from "../../local/workers.ts";

const ARTIFACTS_BUCKET = "tiffin-artifacts";

export function putLocalObjects(state: string, objects: readonly StoredObject[]): void {
  const folder = mkdtempSync(join(tmpdir(), "tiffin-"));
  try {
    for (const { key, bytes } of objects) {
      const file = join(folder, "object");
      writeFileSync(file, bytes);
      const place = ["--local", "--persist-to", state, "-c", configPath("coordinator")];
      const result = runProcess("wrangler", ["r2", "object", "put", `${ARTIFACTS_BUCKET}/${key}`, "--file", file, ...place]);
      if (result.status !== 0) throw new Error(`expected ${key} to be stored, got exit ${result.status}\n${result.output}`);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The bytes of an object. */
export function getLocalObject(state: string, key: string): Uint8Array {
  const folder = mkdtempSync(join(tmpdir(), "tiffin-"));
  try {
    const file = join(folder, "object");
    const place = ["--local", "--persist-to", state, "-c", configPath("coordinator")];
    const result = runProcess("wrangler", ["r2", "object", "get", `${ARTIFACTS_BUCKET}/${key}`, "--file", file, ...place]);
    if (result.status !== 0) throw new Error(`expected ${key} to be there, got exit ${result.status}\n${result.output}`);
    return new Uint8Array(readFileSync(file));
  } finally {
    rmSync(folder, { recursive: true });
  }
}
