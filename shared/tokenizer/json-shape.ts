/**
 * Checks untrusted JSON against a shape. An object must have at least the shape's fields. A list must have exactly the shape's
 * items. A function in a shape checks its value itself. Any other value must equal the shape. Browsers run this code
 * (shared/runtime). A schema library would be larger than the rest of their bundle.
 */
export type Shape =
  | string
  | number
  | boolean
  | null
  | ((value: unknown) => boolean)
  | readonly Shape[]
  | { readonly [field: string]: Shape };

export const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Returns the value at a path of fields and indices, or undefined. */
export function valueAt(value: unknown, ...path: readonly (string | number)[]): unknown {
  let current = value;
  for (const step of path) {
    if (typeof current !== "object" || current === null) return undefined;
    current = Object.getOwnPropertyDescriptor(current, step)?.value;
  }
  return current;
}

export function hasShape(value: unknown, shape: Shape): boolean {
  if (typeof shape === "function") return shape(value);
  if (Array.isArray(shape))
    return Array.isArray(value) && value.length === shape.length && shape.every((each: Shape, at) => hasShape(value[at], each));
  if (typeof shape !== "object" || shape === null) return value === shape;
  return isObject(value) && Object.entries(shape).every(([field, each]) => hasShape(valueAt(value, field), each));
}
