/** Tar archives for tests, as `git archive` makes them: a pax header holds a path of more than 100 bytes. */

const BLOCK = 512;

function entry(path: string, content: Buffer, type: string): Buffer {
  const header = Buffer.alloc(BLOCK);
  header.write(path.slice(0, 100), 0);
  header.write("0000644\0", 100);
  header.write(`${content.length.toString(8).padStart(11, "0")}\0`, 124);
  header.write("        ", 148);
  header.write(type, 156);
  // Magic and version.
  header.write("ustar\u000000", 257);
  const sum = header.reduce((total: number, byte: number) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return Buffer.concat([header, content, Buffer.alloc((BLOCK - (content.length % BLOCK)) % BLOCK)]);
}

function paxOf(path: string): Buffer {
  const record = ` path=${path}\n`;
  const length = record.length + 3;
  return Buffer.from(`${length}${record}`);
}

export function tarOf(files: Readonly<Record<string, string | Buffer>>): Buffer {
  const comment = Buffer.from("52 comment=0123456789012345678901234567890123456789\n");
  const entries = Object.entries(files).flatMap(([path, content]) => {
    const file = entry(path, Buffer.from(content), "0");
    return path.length > 100 ? [entry("pax", paxOf(path), "x"), file] : [file];
  });
  return Buffer.concat([entry("pax_global_header", comment, "g"), ...entries, Buffer.alloc(2 * BLOCK)]);
}
