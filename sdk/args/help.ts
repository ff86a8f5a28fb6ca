/** The help text of a command, laid out for a terminal. */
import type { Option, OptionTable } from './option.js';

/** What a help text tells. */
export interface Help {
  /** The command as it is called: `mindts train`. */
  readonly name: string;
  /** What it is for, in a sentence or two. */
  readonly description: string;
  /** What follows the name on the usage line. Default `[options]`. */
  readonly usage?: string;
  readonly options: OptionTable;
  /** Of options that have no default of their own, what a file says where they are not given. */
  readonly defaults?: Readonly<Record<string, string>>;
  /** Whole command lines, shown as they are. */
  readonly examples?: readonly string[] | undefined;
  /** Columns to fill. Default: the terminal's, or 80. */
  readonly width?: number;
}

/**
 * The help text of a command: one aligned row for each option, with what is allowed and the default,
 * wrapped at the terminal's width. Ends without a newline.
 *
 * @example
 * const options = { epoch_size: integer({ min: 1, default: 10, description: 'passes over the data' }) };
 * helpText({ name: 'train', description: 'Trains LeNet-5.', options }).split('\n')[2]; // 'Usage: train [options]'
 */
export function helpText({
  name,
  description,
  usage = '[options]',
  options,
  defaults = {},
  examples = [],
  width,
}: Help): string {
  const columns = Math.max(40, width ?? (process.stdout.columns || 80));
  const rows = Object.entries(options).map(([flag, option]) => row(flag, option, defaults[flag]));
  rows.push({ left: '-h, --help', right: 'show this text' });
  // A flag longer than a third of the line stands on a line of its own, so that it does not narrow all others.
  const widths = rows.map(({ left }) => left.length).filter((length) => length <= columns / 3);
  const widest = Math.max(...widths);
  const indent = ' '.repeat(2 + widest + 2);
  const table = rows.map(({ left, right }) => {
    const lines = wrap(right, columns - indent.length).join(`\n${indent}`);
    return left.length > widest ? `  ${left}\n${indent}${lines}` : `  ${left.padEnd(widest)}  ${lines}`;
  });
  const sections = [
    wrap(description, columns).join('\n'),
    wrap(`Usage: ${name} ${usage}`, columns).join('\n'),
    ['Options:', ...table].join('\n'),
  ];
  if (examples.length > 0) sections.push(['Examples:', ...examples.map((example) => `  ${example}`)].join('\n'));
  return sections.join('\n\n');
}

function row(flag: string, option: Option<unknown>, otherwise: string | undefined): { left: string; right: string } {
  const facts: string[] = [];
  if (option.kind === 'integer' || option.kind === 'number') facts.push(option.expected);
  if (option.required) facts.push('required');
  else if (option.kind === 'flag' ? option.default === true : option.default !== undefined) {
    facts.push(`default: ${option.default}`);
  } else if (otherwise !== undefined) facts.push(`default: ${otherwise}`);
  const left = option.kind === 'flag' ? `--[no-]${flag}` : `--${flag} ${option.placeholder}`;
  return { left, right: option.description + (facts.length > 0 ? ` (${facts.join('; ')})` : '') };
}

/** Breaks text between words; a word wider than a line keeps a line to itself. */
function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/\s+/)) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}
