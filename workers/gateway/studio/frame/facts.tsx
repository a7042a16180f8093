/** Named values in a grid. */
import type { ComponentChildren } from "preact";

export type Fact = readonly [name: string, value: ComponentChildren];

export const Facts = ({ facts, isPanel = true }: { facts: readonly Fact[]; isPanel?: boolean }) => (
  <dl class={isPanel ? "facts" : undefined}>
    {facts.map(([name, value]) => (
      <div key={name}>
        <dt>{name}</dt>
        <dd>{value}</dd>
      </div>
    ))}
  </dl>
);
