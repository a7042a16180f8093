/**
 * The text of UTF-8 bytes; invalid bytes become U+FFFD. TextDecoder drops a leading U+FEFF (byte order mark) by default. Here it
 * belongs to the text.
 */
export const textOf = (bytes: Uint8Array): string => new TextDecoder("utf-8", { fatal: false, ignoreBOM: true }).decode(bytes);
