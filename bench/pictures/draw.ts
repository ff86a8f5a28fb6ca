/** Pictures as SVG: terminal windows, and the curves of a training run. */
import type { EpochRecord } from '../../sdk/train/callback.js';
import type { Colour, Span } from './screen.js';

const WIDTH = 1000;
const MONO = 'DejaVu Sans Mono, monospace';
const SANS = 'DejaVu Sans, sans-serif';

/** Lines of a terminal, as `screenOf` gives them. */
export type Screen = readonly (readonly Span[])[];

const LINE = 21;
const SHADES: Readonly<Record<Colour, string>> = {
  plain: '#d8dee4',
  red: '#ff7b72',
  green: '#7ee787',
  yellow: '#e3b341',
  cyan: '#79c0ff',
};

/** Terminal windows, one below the other. */
export function drawTerminals(screens: readonly Screen[]): string {
  let top = 0;
  const windows = screens.map((lines) => {
    const height = lines.length * LINE + 54;
    const rows = lines.map((spans, i) => {
      const text = spans.map((span) => `<tspan fill="${SHADES[span.colour]}">${escaped(span.text)}</tspan>`).join('');
      return `<text x="20" y="${top + 54 + i * LINE}" xml:space="preserve" font-family="${MONO}" font-size="13">${text}</text>`;
    });
    const dots = [24, 44, 64].map((x) => `<circle cx="${x}" cy="${top + 19}" r="6" fill="#484f58"/>`);
    const window = `<rect y="${top}" width="${WIDTH}" height="${height}" rx="10" fill="#161b22"/>`;
    top += height + 16;
    return [window, ...dots, ...rows].join('\n');
  });
  return svg(windows.join('\n'), top - 16);
}

interface Curve {
  readonly name: string;
  readonly colour: string;
  readonly values: readonly number[];
}

type Epoch = Pick<EpochRecord, 'loss' | 'accuracy'> & { readonly validationLoss: number };

/** Loss and accuracy of each epoch, side by side. */
export function drawHistory(history: readonly Epoch[], title: string): string {
  const losses: readonly Curve[] = [
    { name: 'training', colour: '#0969da', values: history.map(({ loss }) => loss) },
    { name: 'test', colour: '#bc4c00', values: history.map(({ validationLoss }) => validationLoss) },
  ];
  const accuracy = { name: 'test', colour: '#bc4c00', values: history.map((record) => 100 * record.accuracy) };
  return svg(
    [
      `<rect width="${WIDTH}" height="420" fill="#ffffff"/>`,
      label(title, { x: WIDTH / 2, y: 34, anchor: 'middle', size: 18 }),
      panel('loss', losses, { left: 60, step: 0.5 }),
      panel('accuracy, %', [accuracy], { left: 560, step: 20, top: 100 }),
    ].join('\n'),
    420,
  );
}

/** Axes from 0 to `top`, or as far as the values go, with the curves over epochs. */
function panel(
  quantity: string,
  curves: readonly Curve[],
  { left, step, top }: { readonly left: number; readonly step: number; readonly top?: number },
): string {
  const [width, bottom, height] = [410, 370, 290];
  const epochs = curves[0].values.length;
  const highest = top ?? step * Math.ceil(Math.max(...curves.flatMap(({ values }) => values)) / step);
  const x = (epoch: number): number => left + (width * (epoch - 1)) / Math.max(1, epochs - 1);
  const y = (value: number): number => bottom - (height * value) / highest;
  const parts = [label(quantity, { x: left - 40, y: bottom - height - 16, anchor: 'start', size: 14 })];
  for (let i = 0; i * step <= highest + step / 2; i++) {
    const at = y(i * step);
    parts.push(`<path d="M${left} ${at}H${left + width}" stroke="#d0d7de"/>`);
    parts.push(label(String(Number((i * step).toFixed(1))), { x: left - 8, y: at + 4, anchor: 'end' }));
  }
  const every = Math.ceil(epochs / 10);
  for (let epoch = 1; epoch <= epochs; epoch += every) {
    parts.push(label(String(epoch), { x: x(epoch), y: bottom + 20, anchor: 'middle' }));
  }
  parts.push(label('epoch', { x: left + width / 2, y: bottom + 40, anchor: 'middle', size: 14 }));
  for (const [i, { name, colour, values }] of curves.entries()) {
    const points = values.map((value, at) => `${x(at + 1).toFixed(1)},${y(value).toFixed(1)}`);
    parts.push(`<polyline points="${points.join(' ')}" fill="none" stroke="${colour}" stroke-width="2.5"/>`);
    for (const point of points) {
      const [cx, cy] = point.split(',');
      parts.push(`<circle cx="${cx}" cy="${cy}" r="4" fill="${colour}"/>`);
    }
    const [legend, row] = [left + width - 110 * (curves.length - i), bottom - height - 21];
    parts.push(`<path d="M${legend} ${row}h26" stroke="${colour}" stroke-width="2.5"/>`);
    parts.push(label(name, { x: legend + 34, y: row + 5, anchor: 'start', size: 14 }));
  }
  return parts.join('\n');
}

interface Place {
  readonly x: number;
  readonly y: number;
  readonly anchor: 'start' | 'middle' | 'end';
  readonly size?: number;
}

function label(text: string, { x, y, anchor, size = 12 }: Place): string {
  const style = `font-family="${SANS}" font-size="${size}" fill="#1f2328" text-anchor="${anchor}"`;
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${style}>${escaped(text)}</text>`;
}

function svg(content: string, height: number): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}">\n${content}\n</svg>\n`;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
