/**
 * Recognizes a licence by its text or its tag and names it by its SPDX id (spdx.org/licenses). A text is recognized by sentences
 * that only this licence has.
 */

/** The first match counts, so narrower licences stand before wider ones. */
const TEXTS: readonly [RegExp, string][] = [
  [/GNU AFFERO GENERAL PUBLIC LICENSE\s+Version 3/i, "AGPL-3.0-only"],
  [/GNU LESSER GENERAL PUBLIC LICENSE\s+Version 3/i, "LGPL-3.0-only"],
  [/GNU LESSER GENERAL PUBLIC LICENSE\s+Version 2\.1/i, "LGPL-2.1-only"],
  [/GNU GENERAL PUBLIC LICENSE\s+Version 3/i, "GPL-3.0-only"],
  [/GNU GENERAL PUBLIC LICENSE\s+Version 2/i, "GPL-2.0-only"],
  [/Mozilla Public License,? Version 2\.0/i, "MPL-2.0"],
  [/Eclipse Public License - v 2\.0/i, "EPL-2.0"],
  [/Apache License\s+Version 2\.0/i, "Apache-2.0"],
  [/Boost Software License - Version 1\.0/i, "BSL-1.0"],
  [/CC0 1\.0 Universal/i, "CC0-1.0"],
  [/Attribution-ShareAlike 4\.0 International/i, "CC-BY-SA-4.0"],
  [/Attribution 4\.0 International/i, "CC-BY-4.0"],
  [/This is free and unencumbered software released into the public domain/i, "Unlicense"],
  [/DO WHAT THE FUCK YOU WANT TO PUBLIC LICENSE/i, "WTFPL"],
  [/Permission to use, copy, modify, and\/or distribute this software for any\s+purpose with or without fee is hereby granted\.?\s+THE SOFTWARE IS PROVIDED/i, "0BSD"],
  [/Permission to use, copy, modify, and\/?\s*(?:or)?\s*distribute this software for any\s+purpose with or without fee is hereby granted, provided/i, "ISC"],
  [/The origin of this software must not be misrepresented/i, "Zlib"],
  [/Redistribution and use in source and binary forms[\s\S]{0,1500}Neither the name/i, "BSD-3-Clause"],
  [/Redistribution and use in source and binary forms/i, "BSD-2-Clause"],
  [/Permission is hereby granted, free of charge, to any person obtaining a copy\s+of this software and associated documentation files/i, "MIT"],
]; // prettier-ignore

/** The SPDX id of a licence's text; empty if it is not known. */
export function licenceOfText(text: string): string {
  const head = text.slice(0, 6000);
  return TEXTS.find(([sentence]) => sentence.test(head))?.[1] ?? "";
}

/** The licence that a source file states in its first lines (spdx.dev/learn/handling-license-info); empty if it states none. */
export function licenceOfTag(source: string): string {
  return /SPDX-License-Identifier:\s*\(?([A-Za-z0-9.+-]+(?: (?:OR|AND|WITH) [A-Za-z0-9.+-]+)*)/.exec(source.slice(0, 2000))?.[1] ?? "";
}

/** The licence in a package's description: package.json, Cargo.toml or pyproject.toml; empty if it states none. */
export function licenceOfPackage(path: string, text: string): string {
  const pattern = path.endsWith(".json") ? /"license"\s*:\s*"([^"]{1,100})"/ : /^\s*license\s*=\s*(?:\{\s*text\s*=\s*)?"([^"]{1,100})"/m;
  const found = pattern.exec(text)?.[1] ?? "";
  return /^[A-Za-z0-9.+ ()-]+$/.test(found) && !/^(?:SEE |UNLICENSED)/i.test(found) ? found : "";
}
