/**
 * Shows a sentence, and has screen readers speak it when it changes, at most once in five seconds. The visible sentence changes
 * at once.
 */
import { useEffect, useRef, useState } from "preact/hooks";

const QUIET_MS = 5000;

export function Announcer({ text, isShown = true }: { text: string; isShown?: boolean }) {
  const [spoken, speak] = useState("");
  const spokenAt = useRef(0);
  useEffect(() => {
    const say = () => {
      spokenAt.current = Date.now();
      speak(text);
    };
    const timer = setTimeout(say, Math.max(0, QUIET_MS - (Date.now() - spokenAt.current)));
    return () => clearTimeout(timer);
  }, [text]);
  return (
    <>
      {isShown && (
        <p class="lede" aria-hidden="true">
          {text}
        </p>
      )}
      <output class="unseen">{spoken}</output>
    </>
  );
}
