/** The corpus screen, for the operator: the sources of text, their crawls, the documents, and the removal of a page. */
import { useEffect } from "preact/hooks";
import { readAddress } from "../../frame/address.ts";
import { Announcer } from "../../frame/announcer.tsx";
import { ForOperator } from "../../frame/for-operator.tsx";
import { bytes, counted } from "../../frame/numbers.ts";
import { overview, watchOverview } from "../../frame/overview.ts";
import { Problem } from "../../frame/problem.tsx";
import { Crawls, Pages } from "./crawls.tsx";
import { Documents, OneDocument } from "./documents.tsx";
import { problem, watch } from "./live.ts";
import { Sources } from "./sources.tsx";

function Kept() {
  useEffect(watch, []);
  return (
    <>
      <Problem text={problem.value} />
      <Sources />
      <Pages />
      <Crawls />
      <OneDocument />
      <Documents />
    </>
  );
}

export function Corpus() {
  useEffect(() => {
    readAddress();
    watchOverview();
  }, []);
  const corpus = overview.value?.corpus ?? null;
  const sentence =
    corpus === null
      ? "Looking at the corpus…"
      : `${counted(corpus.documents, "document")} of ${counted(corpus.sources, "source")}: ${bytes(corpus.bytes)} of text to learn from.`;
  return (
    <>
      <h1>Corpus</h1>
      <Announcer text={sentence} />
      <ForOperator what="Sources, crawls, documents and the removal of pages are the operator’s.">
        <Kept />
      </ForOperator>
    </>
  );
}
