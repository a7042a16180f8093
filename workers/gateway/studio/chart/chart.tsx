/**
 * A loss curve as SVG. For each stretch of rounds it shows the band from the least to the greatest loss and the mean. It also
 * shows lines to compare with, and marks. It draws a few hundred stretches, however long the run is. The drawing is laid out in
 * pixels, so its text has the size of the page's text.
 */
import { useEffect, useRef, useState } from "preact/hooks";
import { marksOf, nearest, position, smoothed, valueAt, type Scale } from "./scale.ts";

export interface ChartPoint {
  x: number;
  low: number;
  mean: number;
  high: number;
}

export interface ChartProps {
  /** Sorted by x. */
  points: readonly ChartPoint[];
  /** Horizontal lines to compare with. */
  lines: readonly { y: number; label: string }[];
  /** Up to three curves of other runs, each sorted by x. */
  others?: readonly { label: string; points: readonly { x: number; y: number }[] }[];
  /** Losses on other text, as separate points. */
  dots: readonly { x: number; y: number }[];
  /** Vertical marks. */
  marks: readonly { x: number; label: string }[];
  isLogX: boolean;
  isLogY: boolean;
  /** The strength of the smoothing: 0 for none, near 1 for the most. */
  smoothing: number;
  describe: string;
  formatX: (value: number) => string;
  /** The index of the point under the reader's finger or cursor. */
  cursor: number | null;
  onCursor: (index: number) => void;
  onZoom: (fromX: number, toX: number) => void;
}

const HEIGHT = 360;
const MARGIN = { left: 46, right: 12, top: 18, bottom: 30 };
/** A drag over fewer pixels counts as a click. */
const LEAST_DRAG = 8;

const path = (places: readonly (readonly [number, number])[]) => places.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join("L");

const pixelOf = (event: PointerEvent) => event.clientX - (event.currentTarget as Element).getBoundingClientRect().left;

function scalesOf({ points, lines, dots, others = [], isLogX, isLogY }: ChartProps, width: number): { x: Scale; y: Scale } {
  const beside = others.flatMap(({ points: each }) => each);
  const besideYs = beside.map(({ y }) => y);
  const lows = [...besideYs, ...points.map(({ low }) => low), ...dots.map(({ y }) => y), ...lines.map(({ y }) => y)];
  const highs = [...besideYs, ...points.map(({ high }) => high), ...lines.map(({ y }) => y)];
  const [low, high] = [Math.min(...lows), Math.max(...highs)];
  const pad = 0.04 * (high - low || 1);
  const xs = [...points, ...beside].map(({ x }) => x);
  const first = Math.min(...xs);
  return {
    x: { isLog: isLogX, min: first, max: Math.max(...xs, first + 1), from: MARGIN.left, to: width - MARGIN.right },
    y: { isLog: isLogY, min: Math.max(low - pad, isLogY ? low * 0.98 : 0), max: high + pad, from: HEIGHT - MARGIN.bottom, to: MARGIN.top },
  };
}

function useWidth() {
  const box = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(640);
  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => setWidth(Math.max(240, Math.floor(entry!.contentRect.width))));
    observer.observe(box.current!);
    return () => observer.disconnect();
  }, []);
  return { box, width };
}

export function Chart(props: ChartProps) {
  const { points, lines, dots, others = [], marks, smoothing, describe, formatX, cursor, onCursor, onZoom } = props;
  const { box, width } = useWidth();
  const [drag, setDrag] = useState<{ from: number; to: number } | null>(null);
  const { x, y } = scalesOf(props, width);
  const xs = points.map((point) => position(x, point.x));
  const at = (value: number) => position(y, value);
  const band = [
    ...points.map(({ high }, i) => [xs[i]!, at(high)] as const),
    ...points.map(({ low }, i) => [xs[i]!, at(low)] as const).toReversed(),
  ];
  const means = points.map(({ mean }) => mean);
  const line = (values: readonly number[]) => `M${path(values.map((value, i) => [xs[i]!, at(value)]))}`;

  const onPointerMove = (event: PointerEvent) => {
    onCursor(nearest(xs, pixelOf(event)));
    if (drag !== null) setDrag({ from: drag.from, to: pixelOf(event) });
  };
  const onPointerUp = (event: PointerEvent) => {
    setDrag(null);
    if (drag === null) return;
    const [from, to] = [drag.from, pixelOf(event)].toSorted((a, b) => a - b) as [number, number];
    if (to - from >= LEAST_DRAG) onZoom(valueAt(x, from), valueAt(x, to));
  };
  const shown = cursor === null ? undefined : points[cursor];
  return (
    <div class="chart" ref={box}>
      <svg
        role="img"
        aria-label={describe}
        width={width}
        height={HEIGHT}
        onPointerDown={(event) => setDrag({ from: pixelOf(event), to: pixelOf(event) })}
        onPointerMove={onPointerMove}
        onPointerUp={onPointerUp}
        onPointerLeave={() => setDrag(null)}
      >
        {marksOf(y, 6).map((value) => (
          <g key={value} class="grid">
            <line x1={MARGIN.left} x2={width - MARGIN.right} y1={at(value)} y2={at(value)} />
            <text x={MARGIN.left - 8} y={at(value) + 4} text-anchor="end">
              {Number(value.toPrecision(3))}
            </text>
          </g>
        ))}
        {marksOf(x, width / 75).map((value) => (
          <text key={value} class="grid" x={position(x, value)} y={HEIGHT - 8} text-anchor="middle">
            {formatX(value)}
          </text>
        ))}
        <path class="band" d={`M${path(band)}Z`} />
        <path class={smoothing > 0 ? "raw" : "mean"} d={line(means)} />
        {smoothing > 0 && <path class="mean" d={line(smoothed(means, smoothing))} />}
        {others.map(({ label, points: each }, index) => (
          <path
            key={label}
            class={`other other-${index + 1}`}
            d={each.length === 0 ? "" : `M${path(each.map((point) => [position(x, point.x), at(point.y)]))}`}
          />
        ))}
        {lines.map(({ y: value, label }) => (
          <g key={label} class="baseline">
            <line x1={MARGIN.left} x2={width - MARGIN.right} y1={at(value)} y2={at(value)} />
            <text x={width - MARGIN.right} y={at(value) - 6} text-anchor="end">
              {label}
            </text>
          </g>
        ))}
        {marks.map(({ x: value, label }) => (
          <g key={`${label} ${value}`} class="mark-line">
            <line x1={position(x, value)} x2={position(x, value)} y1={MARGIN.top} y2={HEIGHT - MARGIN.bottom} />
            <text x={position(x, value)} y={MARGIN.top - 5} text-anchor={position(x, value) > width / 2 ? "end" : "start"}>
              {label}
            </text>
          </g>
        ))}
        {dots.map(({ x: value, y: loss }) => (
          <circle key={value} class="dot" cx={position(x, value)} cy={at(loss)} r="4.5" />
        ))}
        {shown !== undefined && <line class="cursor" x1={xs[cursor!]} x2={xs[cursor!]} y1={MARGIN.top} y2={HEIGHT - MARGIN.bottom} />}
        {drag !== null && (
          <rect
            class="drag"
            x={Math.min(drag.from, drag.to)}
            y={MARGIN.top}
            width={Math.abs(drag.to - drag.from)}
            height={HEIGHT - MARGIN.top - MARGIN.bottom}
          />
        )}
      </svg>
    </div>
  );
}
