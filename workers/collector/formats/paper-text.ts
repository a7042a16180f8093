/** Turns the tree of a paper into text: a walk that treats each element by its name. */

export interface FoundPaper {
  title: string;
  text: string;
  lang: string;
  /** An SPDX id or a URL; empty if the paper states none. */
  licence: string;
}

export interface TreeNode {
  nodeType: number;
  nodeName: string;
  textContent: string | null;
  childNodes: Iterable<TreeNode>;
  getAttribute?(name: string): string | null;
}

/** What becomes of an element: it is dropped, it is replaced by text, or its content is text within a line or in lines of its own. */
export type Treatment = "drop" | "inline" | "block" | { text: string; isBlock: boolean };

/** The text of a tree. White space is folded, and blocks are apart by an empty line. Iterative, because trees nest without limit. */
export function textOfTree(root: TreeNode, treat: (node: TreeNode) => Treatment): string {
  const blocks: string[] = [];
  let line = "";
  const endBlock = () => {
    const text = line.replaceAll(/\s+/g, " ").trim();
    if (text !== "") blocks.push(text);
    line = "";
  };
  const stack: (TreeNode | "break")[] = [...root.childNodes].toReversed();
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    if (node === "break") endBlock();
    else if (node.nodeType === 3 || node.nodeType === 4) line += node.textContent ?? "";
    else if (node.nodeType === 1) {
      const treatment = treat(node);
      if (treatment === "drop") continue;
      const isBlock = treatment === "block" || (typeof treatment === "object" && treatment.isBlock);
      if (isBlock) endBlock();
      if (typeof treatment === "object") line += treatment.text;
      else for (const child of [...(isBlock ? ["break" as const] : []), ...[...node.childNodes].toReversed()]) stack.push(child);
      if (typeof treatment === "object" && isBlock) endBlock();
    }
  }
  endBlock();
  return blocks.join("\n\n");
}

/** Names a licence by its address or by its words, such as "License: CC BY-SA 4.0". */
export function licenceOfStatement(statement: string): string {
  const address = /https?:\/\/(?:creativecommons\.org|arxiv\.org\/licenses)\/[\w./-]+/.exec(statement)?.[0];
  if (address !== undefined) return address;
  const [, terms, version] = /\bCC[ -](BY(?:-NC)?(?:-SA|-ND)?)[ -](\d\.\d)\b/i.exec(statement) ?? [];
  if (terms !== undefined && version !== undefined) return `CC-${terms.toUpperCase()}-${version}`;
  if (/\bCC[ -]?(?:0|zero)\b/i.test(statement)) return "CC0-1.0";
  return /arXiv\.org perpetual|non-exclusive/i.test(statement) ? "http://arxiv.org/licenses/nonexclusive-distrib/1.0/" : "";
}
