/** The network as a drawing: a circle per unit, fuller for a larger value, and a line per weight, thicker for a larger one. */
import type { DenseLayer } from "../../../../../shared/model/dense/network.ts";
import { INPUTS, SONGS } from "./songs-network.ts";

const [COLUMN, HEIGHT, RADIUS, MARGIN] = [130, 280, 11, 90];
const MAX_WIDTH = 5;

interface DrawingProps {
  /** The values of the units, layer by layer, from the inputs to the outputs. */
  values: readonly (readonly number[])[];
  layers: readonly DenseLayer[];
}

const placeOf = (values: DrawingProps["values"], layer: number, unit: number) => ({
  x: MARGIN + layer * COLUMN,
  y: ((unit + 0.5) * HEIGHT) / values[layer]!.length,
});

/** The table beside the drawing has the same values, so the drawing is hidden from screen readers. */
export function NetworkDrawing({ values, layers }: DrawingProps) {
  const last = values.length - 1;
  const lines = layers.flatMap(({ weight }, layer) =>
    Array.from(weight, (value, at) => {
      const inputs = values[layer]!.length;
      return {
        key: `${layer} ${at}`,
        value,
        from: placeOf(values, layer, at % inputs),
        to: placeOf(values, layer + 1, Math.floor(at / inputs)),
      };
    }),
  );
  return (
    <svg class="network" viewBox={`0 0 ${2 * MARGIN + last * COLUMN} ${HEIGHT}`} aria-hidden="true">
      {lines.map(({ key, value, from, to }) => (
        <line
          key={key}
          class={value < 0 ? "against" : "for"}
          x1={from.x}
          y1={from.y}
          x2={to.x}
          y2={to.y}
          stroke-width={Math.min(MAX_WIDTH, Math.abs(value)).toFixed(2)}
        />
      ))}
      {values.flatMap((units, layer) =>
        units.map((value, unit) => {
          const { x, y } = placeOf(values, layer, unit);
          const name = layer === 0 ? INPUTS[unit] : layer === last ? SONGS[unit] : "";
          return (
            // oxlint-disable-next-line react/no-array-index-key -- a unit has no name but its place
            <g key={`${layer} ${unit}`}>
              <circle cx={x} cy={y} r={RADIUS} />
              <circle class="value" cx={x} cy={y} r={RADIUS} fill-opacity={Math.max(0, Math.min(1, value)).toFixed(2)} />
              {name !== "" && (
                <text x={layer === 0 ? x - RADIUS - 6 : x + RADIUS + 6} y={y} dy="0.35em" text-anchor={layer === 0 ? "end" : "start"}>
                  {name}
                </text>
              )}
            </g>
          );
        }),
      )}
    </svg>
  );
}
