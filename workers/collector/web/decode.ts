/** Bytes of a web server as text: gzip files unpacked, the charset found as browsers find it. */
import htmlEncodingSniffer from "html-encoding-sniffer";
import { readAtMost } from "../../../shared/bytes/bounded.ts";

const GZIP_MAGIC = [0x1f, 0x8b];

/** Text of a page or an XML file by byte-order mark, Content-Type, `<meta>` or XML declaration; UTF-8 when nothing is said. */
export function decodeText(bytes: Uint8Array, contentType: string): string {
  const label = /charset\s*=\s*"?'?([^\s;"']+)/i.exec(contentType)?.[1];
  const encoding = htmlEncodingSniffer(bytes, {
    xml: /[/+]xml\b/i.test(contentType) && !/html/i.test(contentType),
    defaultEncoding: "UTF-8",
    ...(label === undefined ? {} : { transportLayerEncodingLabel: label }),
  });
  return new TextDecoder(encoding).decode(bytes).replaceAll("\u0000", "");
}

/** Unpacks the bytes if they are a gzip file. Null beyond `limit` unpacked bytes, which are counted as they come out. */
export async function gunzip(bytes: Uint8Array<ArrayBuffer>, limit: number): Promise<Uint8Array<ArrayBuffer> | null> {
  if (!GZIP_MAGIC.every((byte, index) => bytes[index] === byte)) return bytes;
  const unpacked = await readAtMost(new Response(bytes).body!.pipeThrough(new DecompressionStream("gzip")), limit);
  return unpacked.truncated ? null : unpacked.bytes;
}
