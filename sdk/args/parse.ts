/**
 * The platform's command line. Flags win over the configuration file, and that over defaults. Platforms
 * add flags of their own, so an unknown flag is passed over with a warning; a wrong value is an error.
 */
import minimist from 'minimist';
import { z } from 'zod';
import { ArgumentError } from '../base/errors.js';
import { nearest } from './nearest.js';
import { isBooleanWord, type Option, type Options, type OptionTable, readValue } from './option.js';

/** What a command line says. */
export interface Parsed<V> {
  readonly values: V;
  /** The arguments that belong to no flag, and all after `--`. */
  readonly positionals: readonly string[];
  /** At most one line, naming all unknown flags. */
  readonly warnings: readonly string[];
}

/**
 * Reads a command line by a table of options.
 *
 * Accepts `--name value`, `--name=value` and `--data-url` for `data_url`. A flag given twice counts the
 * last time, as in Python's argparse. An empty value (`--ckpt_url=`) means "not given". A value that looks
 * like a flag needs the `=`: `--name=--value`; negative numbers do not. An unknown flag takes the value
 * behind it along. `--help` and `-h` are passed over; see {@link wantsHelp}.
 *
 * @param argv default: this process's
 * @param settings config: the values of a configuration file, from `readConfig`; also: options of the same command line
 *   that are read by another call
 * @throws ArgumentError `E_ARGUMENT_VALUE` for a wrong value, `E_ARGUMENT_NO_VALUE` for a flag without one,
 *   `E_ARGUMENT_REQUIRED` for required options that are given nowhere
 * @example
 * const options = { epoch_size: integer({ min: 1, default: 10, description: 'passes over the data' }) };
 * parseOptions(options, ['--epoch_size', '3']).values.epoch_size; // 3
 */
export function parseOptions<V extends object>(
  options: Options<V>,
  argv: readonly string[] = process.argv.slice(2),
  { config = {}, also = {} }: { readonly config?: Partial<V>; readonly also?: OptionTable } = {},
): Parsed<V> {
  const known: OptionTable = { ...options, ...also };
  const { flags, positionals, unknown } = spellOut(known, argv);
  const given = readFlags(known, flags);
  const values: Partial<V> = {};
  for (const name in options) {
    const option: Option<V[typeof name]> = options[name];
    const written = given.get(name);
    if (written !== undefined) values[name] = readValue(option, written, `--${name}`);
    else if (config[name] !== undefined) values[name] = config[name];
    else if (!option.required) values[name] = option.default;
  }
  if (!isComplete(values, options)) {
    const missing = Object.keys(options).filter((name) => !Object.hasOwn(values, name));
    const flagNames = missing.map((name) => `--${name}`).join(', ');
    const passed = unknown.length > 0 ? ` (${passedOver(unknown, Object.keys(known))})` : '';
    throw new ArgumentError(
      'E_ARGUMENT_REQUIRED',
      `required, but not given: ${flagNames}${passed}; --help describes them`,
    );
  }
  return { values, positionals, warnings: unknown.length > 0 ? [passedOver(unknown, Object.keys(known))] : [] };
}

/**
 * Whether a command line asks for help: `--help` or `-h` before any `--`.
 *
 * @example
 * wantsHelp(['--epoch_size', '3', '-h']); // true
 */
export function wantsHelp(argv: readonly string[] = process.argv.slice(2)): boolean {
  const end = argv.indexOf('--');
  return (end < 0 ? argv : argv.slice(0, end)).some(isHelp);
}

/** `--name`, `-n`, each with an optional `=value`; not `-1`, `-` or `--a sentence`. */
const FLAG = /^(--[^\s=-][^\s=]*|-[A-Za-z][^\s=]*)(?:=([^]*))?$/;

/**
 * Writes every known flag as `--name=value`. What is left is beyond doubt: minimist would take the `-1`
 * of `--seed -1` for a flag, could not tell `--data_url=` from `--data_url`, and throws at `--constructor`.
 */
function spellOut(
  options: OptionTable,
  argv: readonly string[],
): { flags: string[]; positionals: string[]; unknown: string[] } {
  const table = new Map(Object.entries(options));
  const flags: string[] = [];
  const positionals: string[] = [];
  const unknown: string[] = [];
  for (let i = 0; i < argv.length; i++) {
    const argument = argv[i];
    if (argument === '--') {
      positionals.push(...argv.slice(i + 1));
      break;
    }
    const match = FLAG.exec(argument);
    if (match === null) {
      positionals.push(argument);
      continue;
    }
    if (isHelp(argument)) continue;
    const [, spelling, attached] = match;
    const next: string | undefined = argv[i + 1];
    const nextIsValue = attached === undefined && next !== undefined && next !== '--' && !FLAG.test(next);
    const { name, negated } = flagName(spelling, table);
    const option = table.get(name);
    if (option === undefined) {
      unknown.push(spelling);
      if (nextIsValue) i++;
    } else if (negated) {
      if (attached !== undefined) {
        throw new ArgumentError('E_ARGUMENT_VALUE', `${spelling} takes no value; write --${name}=true or ${spelling}`);
      }
      flags.push(`--${name}=false`);
    } else if (option.kind === 'flag' && attached === undefined && !(nextIsValue && isBooleanWord(next))) {
      flags.push(`--${name}=true`);
    } else if (attached !== undefined) {
      flags.push(`--${name}=${attached}`);
    } else if (nextIsValue) {
      flags.push(`--${name}=${next}`);
      i++;
    } else {
      throw new ArgumentError(
        'E_ARGUMENT_NO_VALUE',
        `${spelling}: expected ${option.expected}, found ${next === undefined ? 'the end of the command line' : next.split('=')[0]}; ` +
          `write ${spelling}=VALUE for a value that begins with a dash`,
      );
    }
  }
  return { flags, positionals, unknown };
}

/** `--data-url` and `--data_url` are `data_url`; `--no-resume` is `resume`, negated, if that is a yes-or-no option. */
function flagName(spelling: string, table: ReadonlyMap<string, Option<unknown>>): { name: string; negated: boolean } {
  const name = spelling.startsWith('--') ? spelling.slice(2).replaceAll('-', '_') : spelling;
  const positive = name.replace(/^no_/, '');
  const negated = !table.has(name) && positive !== name && table.get(positive)?.kind === 'flag';
  return { name: negated ? positive : name, negated };
}

function readFlags(options: OptionTable, flags: readonly string[]): ReadonlyMap<string, string> {
  // Each option is declared as a string, or minimist would turn 007 into 7 and round long numbers.
  const found = FLAG_VALUES.parse(minimist([...flags], { string: Object.keys(options) }));
  const given = new Map<string, string>();
  for (const [name, value] of Object.entries(found)) {
    const last = typeof value === 'string' ? value : value.at(-1);
    if (last !== undefined && last !== '') given.set(name, last);
  }
  return given;
}

const FLAG_VALUES = z.record(z.string(), z.union([z.string(), z.array(z.string())]));

function isComplete<V extends object>(values: Partial<V>, options: Options<V>): values is V {
  return Object.keys(options).every((name) => Object.hasOwn(values, name));
}

function passedOver(unknown: readonly string[], known: readonly string[]): string {
  const listed = [...new Set(unknown)].map((spelling) => {
    const word = spelling.replace(/^--?/, '').replaceAll('-', '_');
    const other = OTHER_NAMES.get(word);
    const meant = known.find((name) => name === word || name === other) ?? nearest(word, known);
    return meant === undefined ? spelling : `${spelling} (did you mean --${meant}?)`;
  });
  return `passed over flags that are not known here: ${listed.join(', ')}`;
}

/** What other frameworks call our flags. */
const OTHER_NAMES: ReadonlyMap<string, string> = new Map([
  ['epochs', 'epoch_size'],
  ['num_epochs', 'epoch_size'],
  ['lr', 'learning_rate'],
  ['batch', 'batch_size'],
  ['resume_from_checkpoint', 'resume'],
]);

function isHelp(argument: string): boolean {
  return argument === '--help' || argument === '-h';
}
