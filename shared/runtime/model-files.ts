/** Reads the files of an exported model, from an address or from a folder of this machine. */

export interface ModelFiles {
  /** Parses a file as JSON. */
  json(path: string): Promise<unknown>;
  /** Opens a file as a stream. The size is null if the server does not state it. */
  open(path: string): Promise<{ stream: ReadableStream<Uint8Array>; size: number | null }>;
}

export interface FileOptions {
  /** The operator's token. Models need it unless they are public. */
  token?: string;
}

/** `source` is an address (`https://.../hub/tiffin/active/resolve/main`) or, in Node, a folder. */
export function filesOf(source: string, options: FileOptions = {}): ModelFiles {
  const open = /^https?:\/\//.test(source) ? fetched(source, options) : local(source);
  return {
    open,
    async json(path) {
      const { stream } = await open(path);
      const text = await new Response(stream).text();
      try {
        return JSON.parse(text) as unknown;
      } catch (error) {
        throw new Error(`${path}: expected JSON, got an error: ${(error as Error).message}`, { cause: error });
      }
    },
  };
}

function fetched(source: string, { token }: FileOptions): ModelFiles["open"] {
  const base = source.endsWith("/") ? source : `${source}/`;
  return async (path) => {
    const response = await fetch(new URL(path, base), token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } });
    if (!response.ok || response.body === null) {
      await response.body?.cancel();
      throw new Error(`${path}: expected status 200, got ${response.status}`);
    }
    // Content-Length is absent from a compressed answer, or is the length of the compressed bytes.
    const { headers } = response;
    const stated = headers.has("content-encoding") ? null : headers.get("content-length");
    return { stream: response.body, size: stated === null ? null : Number(stated) };
  };
}

/** The part of Node's file system in use. The module has no import of it, because browsers could not resolve the import. */
interface FileSystem {
  openAsBlob(path: string): Promise<Blob>;
}

function local(folder: string): ModelFiles["open"] {
  const { process } = globalThis as { process?: { getBuiltinModule?(name: string): FileSystem } };
  const fileSystem = process?.getBuiltinModule?.("node:fs");
  if (fileSystem === undefined) throw new Error(`source: expected an address that begins with http: or https:, got ${folder}`);
  return async (path) => {
    try {
      const blob = await fileSystem.openAsBlob(`${folder}/${path}`);
      return { stream: blob.stream(), size: blob.size };
    } catch (error) {
      throw new Error(`${folder}/${path}: expected a file, got an error: ${(error as Error).message}`, { cause: error });
    }
  };
}
