/** Shows its children to the operator only. Other visitors see the reason and how to sign in. */
import type { ComponentChildren } from "preact";
import { session } from "./session.tsx";

export function ForOperator({ what, children }: { what: string; children: ComponentChildren }) {
  const { value } = session;
  if (value === null) return <p class="lede">Looking…</p>;
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
