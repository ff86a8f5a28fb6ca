/** Curves as SVG, side by side: what a run was like, for a person to look at. Plain text, no library. */

/** One curve. */
export interface Curve {
  readonly name: string;
  /** x and y; drawn in this order. */
  readonly points: readonly (readonly [number, number])[];
}

/** Axes with curves. */
export interface Panel {
  readonly title: string;
  /** What x counts: `iterations`. */
  readonly x: string;
  readonly curves: readonly Curve[];
  /** Powers of ten along y. Default: even steps. */
  readonly isLogarithmic?: boolean;
  /** Where y begins and ends. Default: as far as the values go. */
  readonly range?: readonly [number, number];
}

/**
 * A picture with a title and panels next to one another.
 *
 * @example
 * const curves = [{ name: 'training', points: [[0, 2.3], [10, 0.4]] as const }];
 * drawChart('a run', [{ title: 'loss', x: 'steps', curves }]).startsWith('<svg'); // true
 */
export function drawChart(title: string, panels: readonly Panel[]): string {
  const width = panels.length * PANEL;
  const content = [
    `<rect width="${width}" height="${HEIGHT}" fill="#ffffff"/>`,
    label(title, { x: width / 2, y: 34, anchor: 'middle', size: 18 }),
    ...panels.map((panel, i) => drawPanel(panel, i * PANEL + 70)),
  ];
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${HEIGHT}" width="${width}" height="${HEIGHT}">\n${content.join('\n')}\n</svg>\n`;
}

const [PANEL, HEIGHT] = [500, 430];
/** Of a panel's axes. */
const [WIDTH, TOP, BOTTOM] = [400, 90, 370];
const COLOURS = ['#0969da', '#bc4c00', '#1a7f37', '#8250df', '#bf3989', '#9a6700', '#57606a'];

function drawPanel({ title, x: unit, curves, isLogarithmic = false, range }: Panel, left: number): string {
  const points = curves.flatMap((curve) => curve.points.filter(([, y]) => Number.isFinite(y)));
  const xs = points.map(([x]) => x);
  const ys = points.map(([, y]) => y);
  const scale = (y: number): number => (isLogarithmic ? Math.log10(Math.max(y, Number.MIN_VALUE)) : y);
  const [x0, x1] = extent(xs);
  const [y0, y1] = (range ?? extent(ys)).map(scale);
  const atX = (x: number): number => left + (WIDTH * (x - x0)) / (x1 - x0);
  const atY = (y: number): number => BOTTOM - ((BOTTOM - TOP) * (scale(y) - y0)) / (y1 - y0);

  const parts = [label(title, { x: left - 45, y: TOP - 26, anchor: 'start', size: 14 })];
  for (const tick of isLogarithmic ? powers(y0, y1) : ticks(y0, y1)) {
    const y = atY(tick);
    parts.push(`<path d="M${left} ${y.toFixed(1)}h${WIDTH}" stroke="#d0d7de"/>`);
    parts.push(label(shown(tick), { x: left - 8, y: y + 4, anchor: 'end' }));
  }
  for (const tick of ticks(x0, x1)) parts.push(label(shown(tick), { x: atX(tick), y: BOTTOM + 20, anchor: 'middle' }));
  parts.push(label(unit, { x: left + WIDTH / 2, y: BOTTOM + 42, anchor: 'middle', size: 14 }));
  for (const [i, { name, points: own }] of curves.entries()) {
    const colour = COLOURS[i % COLOURS.length];
    const path = own.filter(([, y]) => Number.isFinite(y)).map(([x, y]) => `${atX(x).toFixed(1)},${atY(y).toFixed(1)}`);
    parts.push(`<polyline points="${path.join(' ')}" fill="none" stroke="${colour}" stroke-width="2"/>`);
    if (curves.length < 2) continue;
    const [legend, row] = [left + (i % 4) * 100, TOP - 12 + 16 * Math.floor(i / 4)];
    parts.push(`<path d="M${legend} ${row}h18" stroke="${colour}" stroke-width="2.5"/>`);
    parts.push(label(name, { x: legend + 23, y: row + 4, anchor: 'start' }));
  }
  return parts.join('\n');
}

/** The least and the greatest, never the same. */
function extent(values: readonly number[]): readonly [number, number] {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  if (values.length === 0) return [0, 1];
  return low < high ? [low, high] : [low - 0.5, high + 0.5];
}

/** About five round numbers between two. */
function ticks(from: number, to: number): readonly number[] {
  const rough = (to - from) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 5].find((factor) => factor * power >= rough) ?? 10) * power;
  const first = Math.ceil(from / step - 1e-9);
  const count = Math.floor(to / step + 1e-9) - first + 1;
  return Array.from({ length: count }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

function powers(from: number, to: number): readonly number[] {
  const first = Math.ceil(from - 1e-9);
  return Array.from({ length: Math.max(0, Math.floor(to + 1e-9) - first + 1) }, (_, i) => 10 ** (first + i));
}

function shown(value: number): string {
  return Math.abs(value) >= 10_000 ? `${value / 1000}k` : String(value);
}

function label(
  text: string,
  {
    x,
    y,
    anchor,
    size = 12,
  }: { readonly x: number; readonly y: number; readonly anchor: string; readonly size?: number },
): string {
  const escaped = text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  const style = `font-family="DejaVu Sans, sans-serif" font-size="${size}" fill="#1f2328" text-anchor="${anchor}"`;
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${style}>${escaped}</text>`;
}
