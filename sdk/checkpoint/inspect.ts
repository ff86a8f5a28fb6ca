/** What is in a parameter file, for people. */
import { isWellFormed, type Tensor, type TensorFile } from './tensor-file.js';

/**
 * A table of the tensors (count, minimum, maximum and mean of the finite numbers, how many are not finite), then the
 * texts, one line each.
 *
 * @example
 * const file = { tensors: new Map([['b', { shape: [2], data: Float32Array.of(1, 2) }]]), texts: new Map() };
 * describeTensorFile(file)[1]; // 'b     [2]    Float32      2    1    2   1.5           0'
 */
export function describeTensorFile(file: TensorFile): readonly string[] {
  const head = ['name', 'shape', 'type', 'count', 'min', 'max', 'mean', 'not finite'];
  const rows = [head, ...Array.from(file.tensors, ([name, tensor]) => row(name, tensor))];
  const widths = head.map((_, column) => rows.reduce((widest, cells) => Math.max(widest, cells[column].length), 0));
  const lines = rows.map((cells) =>
    cells.map((cell, i) => (i < 3 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('  '),
  );
  for (const [name, text] of file.texts) lines.push(`${printable(name)}: ${printable(text)}`);
  return lines;
}

function row(name: string, { shape, data }: Tensor): string[] {
  let min = Infinity;
  let max = -Infinity;
  let sum = 0;
  let finite = 0;
  for (const value of data) {
    if (!Number.isFinite(value)) continue;
    min = Math.min(min, value);
    max = Math.max(max, value);
    sum += value;
    finite++;
  }
  const figures = finite === 0 ? ['-', '-', '-'] : [min, max, sum / finite].map(figure);
  const type = data instanceof Float32Array ? 'Float32' : 'Int32';
  return [
    printable(name),
    `[${shape.join(', ')}]`,
    type,
    String(data.length),
    ...figures,
    String(data.length - finite),
  ];
}

/** Four digits are enough to see whether a parameter is sound; whole numbers in full. */
function figure(value: number): string {
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(4)));
}

/** Without line breaks and control characters, at most 100 characters. */
function printable(text: string): string {
  const short = text.length > 100 ? `${text.slice(0, 99)}…` : text;
  return /\p{C}/u.test(short) || !isWellFormed(short) ? JSON.stringify(short) : short;
}
