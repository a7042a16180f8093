/**
 * A link that changes parameters of the page's address, as a step of the browser's history, without loading the page again. With a
 * modifier key the browser opens it as any other link.
 */
import type { ComponentChildren } from "preact";
import { setParameters } from "./address.ts";

interface StepLinkProps {
  /** Changed parameters; null removes one. */
  changes: Readonly<Record<string, string | null>>;
  onStep?: () => void;
  isCurrent?: boolean;
  dir?: "auto";
  children: ComponentChildren;
}

export function StepLink({ changes, onStep, isCurrent = false, dir, children }: StepLinkProps) {
  const given = Object.entries(changes).filter((entry): entry is [string, string] => entry[1] !== null);
  const step = (event: MouseEvent) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    setParameters(changes, true);
    onStep?.();
  };
  return (
    <a href={`?${new URLSearchParams(given)}`} dir={dir} aria-current={isCurrent ? "true" : undefined} onClick={step}>
      {children}
    </a>
  );
}
