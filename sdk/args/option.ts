/**
 * Options are data: what a flag is called is the key it stands under, everything else is in the value
 * that one of these functions builds. A `default`, or `required: true`, takes `undefined` out of the
 * type of the parsed value.
 */
import { z } from 'zod';
import { ArgumentError } from '../base/errors.js';
import { redactUrl } from '../base/log.js';

/** What may stand behind one flag, or one key of a configuration file. */
export type Option<T> = OptionFacts<T> &
  ({ readonly required: true } | { readonly required: false; readonly default: T });

/** A table of options by flag name, in snake_case as the platforms spell them; `V` is what it parses to. */
export type Options<V> = { readonly [K in keyof V]: Option<V[K]> };

/** A table of options when what it parses to does not matter. */
export type OptionTable = Readonly<Record<string, Option<unknown>>>;

interface OptionFacts<T> {
  readonly kind: 'text' | 'integer' | 'number' | 'choice' | 'flag';
  readonly description: string;
  /** Stands for the value in the help text: `N`, `URL`, `CPU|GPU`. */
  readonly placeholder: string;
  /** What is allowed, to follow "expected": `a whole number of at least 1`. */
  readonly expected: string;
  /** Reads what was written. */
  readonly schema: z.ZodType<T>;
}

interface Settings<T> {
  readonly description: string;
  /** The value when none is given. */
  readonly default?: T;
  /** An error when none is given, instead of `undefined`. */
  readonly required?: boolean;
}
/** The settings under which a value is always there. */
type Always<T> = { readonly default: T } | { readonly required: true };

interface TextSettings extends Settings<string> {
  /** What the help text calls the value. Default `TEXT`. */
  readonly placeholder?: string;
}
interface IntegerSettings extends Settings<number> {
  readonly min?: number;
  readonly max?: number;
}
interface NumberSettings extends IntegerSettings {
  /** The value must be greater than this. */
  readonly above?: number;
}

/**
 * Any text, kept letter for letter.
 *
 * @example
 * text({ description: 'where the data set lies', placeholder: 'URL' }).placeholder; // 'URL'
 */
export function text(settings: TextSettings & Always<string>): Option<string>;
export function text(settings: TextSettings): Option<string | undefined>;
export function text(settings: TextSettings): Option<string | undefined> {
  return build(settings, {
    kind: 'text',
    placeholder: settings.placeholder ?? 'TEXT',
    expected: 'text',
    schema: z.string(),
  });
}

/**
 * A whole number in decimal digits, from `min` to `max` inclusive, and never beyond ±(2⁵³ − 1).
 *
 * @example
 * integer({ min: 1, default: 10, description: 'how often to go over the data' }).expected; // 'a whole number of at least 1'
 */
export function integer(settings: IntegerSettings & Always<number>): Option<number>;
export function integer(settings: IntegerSettings): Option<number | undefined>;
export function integer(settings: IntegerSettings): Option<number | undefined> {
  const { min = Number.MIN_SAFE_INTEGER, max = Number.MAX_SAFE_INTEGER } = settings;
  return build(settings, {
    kind: 'integer',
    placeholder: 'N',
    expected: `a whole number${range(settings)}`,
    schema: z.string().trim().regex(INTEGER).transform(Number).pipe(z.int().min(min).max(max)),
  });
}

/**
 * A finite decimal number, such as `0.01`, `-1` or `1e-3`; `min` and `max` are inclusive, `above` is not.
 *
 * @example
 * number({ above: 0, default: 0.01, description: 'the learning rate' }).expected; // 'a number above 0'
 */
export function number(settings: NumberSettings & Always<number>): Option<number>;
export function number(settings: NumberSettings): Option<number | undefined>;
export function number(settings: NumberSettings): Option<number | undefined> {
  const { min = -Number.MAX_VALUE, max = Number.MAX_VALUE, above = Number.NEGATIVE_INFINITY } = settings;
  return build(settings, {
    kind: 'number',
    placeholder: 'X',
    expected: `a number${range(settings)}`,
    schema: z.string().trim().regex(DECIMAL).transform(Number).pipe(z.number().min(min).max(max).gt(above)),
  });
}

/**
 * One of a few words, spelled exactly so; the parsed type is their union.
 *
 * @example
 * choice(['CPU', 'GPU', 'Ascend'], { description: 'what to train on' }).expected; // 'CPU, GPU or Ascend'
 */
export function choice<const C extends string>(
  choices: readonly C[],
  settings: Settings<NoInfer<C>> & Always<NoInfer<C>>,
): Option<C>;
export function choice<const C extends string>(
  choices: readonly C[],
  settings: Settings<NoInfer<C>>,
): Option<C | undefined>;
export function choice<const C extends string>(choices: readonly C[], settings: Settings<C>): Option<C | undefined> {
  return build<C>(settings, {
    kind: 'choice',
    placeholder: choices.join('|'),
    expected: alternatives(choices),
    schema: z.literal(choices),
  });
}

/**
 * Yes or no, as `--resume`, `--resume=true`, `--resume True`, `--no-resume`. False unless `default` says
 * otherwise. `yes`, `no`, `1` and `0` are understood too.
 *
 * @example
 * flag({ description: 'go on from the last checkpoint' }).expected; // 'true or false'
 */
export function flag(settings: { readonly description: string; readonly default?: boolean }): Option<boolean> {
  return {
    kind: 'flag',
    description: settings.description,
    placeholder: '',
    expected: 'true or false',
    schema: z
      .string()
      .toLowerCase()
      .pipe(z.stringbool({ truthy: YES, falsy: NO })),
    required: false,
    default: settings.default ?? false,
  };
}

/** Whether a {@link flag} understands this word. */
export function isBooleanWord(word: string): boolean {
  return [...YES, ...NO].includes(word.toLowerCase());
}

/**
 * What `given` means to an option. `where` is the flag or the key that it stood behind, for the message.
 *
 * @throws ArgumentError `E_ARGUMENT_VALUE`: `--epoch_size ten: expected a whole number of at least 1`
 */
export function readValue<T>(option: Option<T>, given: string, where: string): T {
  const result = option.schema.safeParse(given);
  if (result.success) return result.data;
  // A schema that says itself what is wrong knows the place.
  const own = result.error.issues.find(({ code }) => code === 'custom')?.message;
  if (own !== undefined) throw new ArgumentError('E_ARGUMENT_VALUE', `${where}: ${own}`);
  throw new ArgumentError('E_ARGUMENT_VALUE', `${where} ${shown(given)}: expected ${option.expected}`);
}

const YES = ['true', 'yes', '1'];
const NO = ['false', 'no', '0'];
const INTEGER = /^[+-]?\d+$/;
const DECIMAL = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

function build<T>(
  settings: Settings<T>,
  facts: Omit<OptionFacts<T | undefined>, 'description'>,
): Option<T | undefined> {
  const described = { ...facts, description: settings.description };
  return settings.required && settings.default === undefined
    ? { ...described, required: true }
    : { ...described, required: false, default: settings.default };
}

function range({ min, max, above }: NumberSettings): string {
  if (min !== undefined && max !== undefined) return ` from ${min} to ${max}`;
  const bounds = [
    above === undefined ? '' : ` above ${above}`,
    min === undefined ? '' : ` of at least ${min}`,
    max === undefined ? '' : ` of at most ${max}`,
  ];
  return bounds.filter((bound) => bound !== '').join(' and');
}

function alternatives(words: readonly string[]): string {
  return words.length < 2 ? words.join() : `${words.slice(0, -1).join(', ')} or ${words[words.length - 1]}`;
}

/** A wrong value as it can stand in one line of a log: quoted if it has to be, cut short, without credentials. */
function shown(given: string): string {
  const safe = redactUrl(given);
  const cut = safe.length > 80 ? `${safe.slice(0, 80)}…` : safe;
  return /^[\p{L}\p{N}\p{P}\p{S}]+$/u.test(cut) ? cut : JSON.stringify(cut);
}
