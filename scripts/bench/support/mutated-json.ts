/** Damages JSON files with a seed: values of the wrong type or size, lost and doubled entries, damaged bytes. */

type Random = () => number;

const below = (random: Random, count: number) => Math.floor(random() * count);

/** Values that parsers often handle wrongly. Large values are made only when they are needed. */
const JUNK: readonly (() => unknown)[] = [
  ...[
    null,
    true,
    false,
    0,
    -1,
    0.5,
    255,
    65_535,
    65_536,
    1e308,
    "",
    " ",
    "a",
    "ab",
    "th",
    "\ud800",
    "\0",
    "<|endoftext|>",
    "__proto__",
  ].map((value) => () => value),
  () => [],
  () => ({}),
  () => [["a", "b"]],
  () => ({ type: "BPE" }),
  () => ({ constructor: 1, toString: 2 }),
  () => "a".repeat(100_000),
  () => Array.from({ length: 70_000 }, () => ["a", "a"]),
  () => JSON.parse(`${"[".repeat(500)}${"]".repeat(500)}`) as unknown,
];

/** Draws a random place of a value: a container and one of its keys. */
function drawPlace(root: object, random: Random): [container: Record<string, unknown>, key: string] {
  let container = root as Record<string, unknown>;
  for (;;) {
    const keys = Object.keys(container);
    const key = keys[below(random, keys.length)]!;
    const value = container[key];
    if (typeof value !== "object" || value === null || Object.keys(value).length === 0 || random() < 0.25) return [container, key];
    container = value as Record<string, unknown>;
  }
}

/** Changes one place of a value. The root stays an object with entries. */
function changeValue(root: object, random: Random): void {
  const [container, key] = drawPlace(root, random);
  const [other, otherKey] = drawPlace(root, random);
  const action = below(random, 6);
  if (action === 0 && container !== root) {
    if (Array.isArray(container)) container.splice(Number(key), 1);
    else delete container[key];
  } else if (action === 1) container[key] = structuredClone(other[otherKey]);
  else if (action === 2 && Array.isArray(container))
    container.push(...Array.from({ length: 1 + below(random, 3) }, () => structuredClone(container[Number(key)] as unknown)));
  else if (action === 3 && !Array.isArray(container)) {
    container[`${key}${String.fromCharCode(97 + below(random, 26))}`] = container[key];
    if (container !== root) delete container[key];
  } else if (action === 4 && typeof container[key] === "number") container[key] = (container[key] as number) + below(random, 5) - 2;
  else if (action === 4 && typeof container[key] === "boolean") container[key] = container[key] !== true;
  else container[key] = JUNK[below(random, JUNK.length)]!();
}

function changeBytes(bytes: Uint8Array, random: Random): Uint8Array {
  const at = below(random, bytes.length);
  const to = Math.min(bytes.length, at + 1 + below(random, 40));
  const action = below(random, 5);
  if (action === 0) return bytes.slice(0, at);
  if (action === 1) return Uint8Array.from([...bytes.subarray(0, at), ...bytes.subarray(to)]);
  if (action === 2) return Uint8Array.from([...bytes.subarray(0, to), ...bytes.subarray(at)]);
  const changed = bytes.slice();
  if (action === 3) changed[at] = below(random, 256);
  else changed[at] = changed[at]! ^ (1 << below(random, 8));
  return changed;
}

/** A damaged copy of a JSON file. */
export function mutateJson(bytes: Uint8Array, random: Random): Uint8Array {
  if (random() < 0.25) return changeBytes(bytes, random);
  const root = JSON.parse(new TextDecoder().decode(bytes)) as object;
  for (let count = 1 + below(random, 3); count > 0; count--) changeValue(root, random);
  return new TextEncoder().encode(JSON.stringify(root));
}
