/** Shows its children to the operator only. Other visitors see the reason and how to sign in. */
import type { ComponentChildren } from "preact";
import { Problem } from "./problem.tsx";
import { session, sessionProblem } from "./session.tsx";

export function ForOperator({ what, children }: { what: string; children: ComponentChildren }) {
  const { value } = session;
  if (value === null) return sessionProblem.value === "" ? <p class="lede">Looking…</p> : <Problem text={sessionProblem.value} />;
  if (value.operator) return <>{children}</>;
  return (
    <section class="panel">
      <h2>For the operator</h2>
      <p>
        {what} Sign in above, or open the link that <code>npm start</code> and <code>npm run dev</code> print.
      </p>
    </section>
  );
}
