/**
 * The learn screen: chapters from a web page to an answer. A chapter is done when the pipeline has reached its goal; the reader
 * ticks nothing.
 */
import { useEffect } from "preact/hooks";
import { Announcer } from "../../frame/announcer.tsx";
import { overview, overviewProblem, watchOverview } from "../../frame/overview.ts";
import { Problem } from "../../frame/problem.tsx";
import { CHAPTERS, type Chapter } from "./chapters.ts";
import { NetworkLab } from "./network-lab.tsx";

function ChapterCard({ chapter, proof }: { chapter: Chapter; proof: string | null }) {
  const { key, title, text, task, goal } = chapter;
  return (
    <li class={proof === null ? "chapter" : "chapter done"}>
      <article aria-labelledby={`chapter-${key}`}>
        <h2 id={`chapter-${key}`}>{title}</h2>
        {text.map((paragraph) => (
          <p key={paragraph}>{paragraph}</p>
        ))}
        <p class="goal">
          <span class="tick" aria-hidden="true">
            {proof === null ? "○" : "✓"}
          </span>
          <span>
            <b>{goal}</b>
            {proof === null ? ": not yet" : `: ${proof}`}
          </span>
        </p>
        <p>
          <a class="button quiet" href={task.href}>
            {task.text}
          </a>
        </p>
      </article>
    </li>
  );
}

export function Learn() {
  useEffect(watchOverview, []);
  const { value } = overview;
  const proofs = CHAPTERS.map(({ proof }) => (value === null ? null : proof(value)));
  const done = proofs.filter((proof) => proof !== null).length;
  return (
    <>
      <h1>How a model grows</h1>
      <Announcer
        text={
          value === null
            ? "Six steps from a web page to an answer that people voted on."
            : `This pipeline has done ${done} of ${CHAPTERS.length} steps from a web page to an answer that people voted on.`
        }
      />
      <Problem text={overviewProblem.value?.message ?? ""} />
      <ol class="chapters">
        {CHAPTERS.map((chapter, index) => (
          <ChapterCard key={chapter.key} chapter={chapter} proof={proofs[index]!} />
        ))}
      </ol>
      <NetworkLab />
    </>
  );
}
