/** The texts that the seed's roles exchange, which they read with `eval`; here nothing is evaluated. */
import { PruningError } from '../../base/errors.js';

/** What the trainer wants searched: the rates of the layers that take part, or nothing more. */
export type Start = 'exit' | { readonly rates: readonly number[]; readonly layers: readonly string[] };

/**
 * What stands in `ncs_start.txt`.
 *
 * @example
 * startText({ rates: [0.001, 2], layers: ['ip1', 'ip2'] }); // "[[0.001, 2.0],['ip1', 'ip2']]"
 */
export function startText({ rates, layers }: Exclude<Start, string>): string {
  const numbers = rates.map((rate) => (Number.isInteger(rate) ? rate.toFixed(1) : String(rate)));
  return `[[${numbers.join(', ')}],[${layers.map((name) => `'${name}'`).join(', ')}]]`;
}

/**
 * Reads it.
 *
 * @param source the file's name, for errors
 * @throws PruningError `E_SEED_TEXT`
 * @example
 * parseStart(Buffer.from("[[0.001, np.float64(2.5)],['ip1', u'ip2']]"), 'ncs_start.txt'); // { rates: [0.001, 2.5], layers: ['ip1', 'ip2'] }
 */
export function parseStart(bytes: Uint8Array, source: string): Start {
  const text = textOf(bytes);
  if (text.trim() === 'exit') return 'exit';
  const [, numbers, names] = START.exec(text) ?? [];
  if (numbers === undefined) throw unreadable(text, source, `[[rates],['layers']] or exit`);
  const rates = (numbers.match(NUMBERS) ?? []).map(Number);
  const layers = [...names.matchAll(NAMES)].map(([, name]) => name);
  if (rates.length === layers.length && rates.length > 0) return { rates, layers };
  throw unreadable(text, source, 'as many rates as layers');
}

/**
 * What stands in `report.txt`: how many iterations were done.
 *
 * @throws PruningError `E_SEED_TEXT`
 */
export function parseCount(bytes: Uint8Array, source: string): number {
  const text = textOf(bytes);
  const count = /^\d{1,9}$/.test(text.trim()) ? Number(text) : 0;
  if (count > 0) return count;
  throw unreadable(text, source, 'a number of iterations, at least 1');
}

/**
 * What stands in `new_itr.txt`: how many iterations are granted, or that all is over.
 *
 * @throws PruningError `E_SEED_TEXT`
 */
export function parseTurn(bytes: Uint8Array, source: string): number | 'over' {
  return textOf(bytes).trim() === 'over' ? 'over' : parseCount(bytes, source);
}

/** As Python prints a float; numpy 2 prints its own in a list as calls. */
const NUMBER = String.raw`-?\d+(?:\.\d*)?(?:e[+-]?\d+)?`;
const NUMBERS = new RegExp(String.raw`(?<![\w.])${NUMBER}`, 'g');
const ONE = String.raw`(?:${NUMBER}|(?:np|numpy)\.float(?:32|64)\(${NUMBER}\))`;
const NAME = String.raw`u?'[\w./-]{1,64}'`;
const NAMES = /'([^']*)'/g;
const list = (item: string): string => String.raw`\[((?:${item}(?:, ?|(?=\])))*)\]`;
const START = new RegExp(String.raw`^\s*\[${list(ONE)}, ?${list(NAME)}\]\s*$`);

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString();
}

function unreadable(text: string, source: string, expected: string): PruningError {
  const found = JSON.stringify(text.slice(0, 60));
  return new PruningError('E_SEED_TEXT', `${source}: holds ${found}; expected ${expected}`);
}
