/** Shows its children to the operator, or to everyone whom `mayLook` lets in. Other visitors see the reason and how to sign in. */
import type { ComponentChildren } from "preact";
import { Problem } from "./problem.tsx";
import type { Session } from "../../../../shared/contracts/session.ts";
import { session, sessionProblem } from "./session.tsx";

const isOperator = ({ operator }: Session) => operator;

interface ForOperatorProps {
  what: string;
  mayLook?: (session: Session) => boolean;
  children: ComponentChildren;
}

export function ForOperator({ what, mayLook = isOperator, children }: ForOperatorProps) {
  const { value } = session;
  if (value === null) return sessionProblem.value === "" ? <p class="lede">Looking…</p> : <Problem text={sessionProblem.value} />;
  if (mayLook(value)) return <>{children}</>;
  return (
    <section class="panel">
      <h2>For the operator</h2>
      <p>
        {what} Sign in above, or open the link that <code>npm start</code> and <code>npm run dev</code> print.
      </p>
    </section>
  );
}
