/**
 * Patterns for names: `*` any characters, `?` one, `[a-z]` one of these, `[!a-z]` one of no others, `\` before a character that is meant as
 * it stands; and `**`, as a part of its own, any folders, none among them. As in a shell, names that begin with a `.` are
 * found by parts that do.
 */

/** A part of a pattern, between two `/`. */
export type Part = { readonly kind: 'folders' } | NamePattern;

/** What one name is held against. */
export interface NamePattern {
  readonly kind: 'name';
  readonly units: readonly Unit[];
  /** What every name that fits begins with. */
  readonly literal: string;
  /** Whether only the name {@link literal} fits. */
  readonly isLiteral: boolean;
}

type Unit =
  | { readonly kind: 'any' }
  | { readonly kind: 'one' }
  | { readonly kind: 'character'; readonly character: string }
  | { readonly kind: 'class'; readonly negated: boolean; readonly ranges: readonly (readonly [number, number])[] };

/**
 * Reads the parts of a pattern.
 *
 * @example
 * parsePattern('a/*.jpg').map((part) => part.kind === 'name' && part.isLiteral); // [true, false]
 */
export function parsePattern(pattern: string): readonly Part[] {
  // At the end it finds what is in those folders.
  const parts = pattern.replace(/(?<![^/])\*\*$/, '**/*').split('/');
  return parts.map((part) => (part === '**' ? { kind: 'folders' } : namePattern(part)));
}

/**
 * Whether a path, in its parts, fits.
 *
 * @example
 * fits(parsePattern('**\/?.jpg'), 'a/b/c.jpg'.split('/')); // true
 */
export function fits(pattern: readonly Part[], path: readonly string[]): boolean {
  return matches(
    pattern,
    path,
    (part) => (part.kind === 'folders' ? 'any' : (name) => nameFits(part, name)),
    (name) => !name.startsWith('.'),
  );
}

/**
 * A text as a pattern that finds it alone.
 *
 * @example
 * escapeGlob('a[1].txt'); // 'a\\[1].txt'
 */
export function escapeGlob(text: string): string {
  return text.replace(/[*?[\\]/g, '\\$&');
}

function nameFits({ units, literal }: NamePattern, name: string): boolean {
  if (name.startsWith('.') && !literal.startsWith('.')) return false;
  return matches(
    units,
    [...name],
    (unit) => (unit.kind === 'any' ? 'any' : (character) => unitFits(unit, character)),
    () => true,
  );
}

function unitFits(unit: Exclude<Unit, { kind: 'any' }>, character: string): boolean {
  switch (unit.kind) {
    case 'one':
      return true;
    case 'character':
      return unit.character === character;
    case 'class': {
      const point = character.codePointAt(0) ?? 0;
      return unit.ranges.some(([from, to]) => from <= point && point <= to) !== unit.negated;
    }
    default:
      return unit satisfies never;
  }
}

/**
 * Holds a row of items against a pattern in which some parts take any number of items that `mayPass`. Going back to the last such part is
 * enough, so that no pattern takes longer than pattern × items.
 */
function matches<P, T>(
  pattern: readonly P[],
  items: readonly T[],
  test: (part: P) => 'any' | ((item: T) => boolean),
  mayPass: (item: T) => boolean,
): boolean {
  let [at, item] = [0, 0];
  let back: { readonly at: number; item: number } | undefined;
  while (item < items.length) {
    const wanted = at < pattern.length ? test(pattern[at]) : undefined;
    if (wanted === 'any') back = { at: ++at, item };
    else if (wanted?.(items[item])) {
      at++;
      item++;
    } else if (back !== undefined && mayPass(items[back.item])) {
      at = back.at;
      item = ++back.item;
    } else return false;
  }
  return pattern.slice(at).every((part) => test(part) === 'any');
}

function namePattern(part: string): NamePattern {
  const units = [...unitsOf([...part])];
  const end = units.findIndex(({ kind }) => kind !== 'character');
  const known = end < 0 ? units : units.slice(0, end);
  const literal = known.map((unit) => (unit.kind === 'character' ? unit.character : '')).join('');
  return { kind: 'name', units, literal, isLiteral: end < 0 };
}

function* unitsOf(characters: readonly string[]): Generator<Unit> {
  for (let i = 0; i < characters.length; i++) {
    const character = characters[i];
    const next: string | undefined = characters[i + 1];
    if (character === '*') yield { kind: 'any' };
    else if (character === '?') yield { kind: 'one' };
    else if (character === '\\' && next !== undefined) {
      yield { kind: 'character', character: next };
      i++;
    } else if (character === '[') {
      const found = classAt(characters, i);
      yield found?.unit ?? { kind: 'character', character };
      i = found?.end ?? i;
    } else yield { kind: 'character', character };
  }
}

/** `[a-z]`, `[!a]`, `[]a]` with a bracket in it; undefined where no bracket closes it: then it means itself. */
function classAt(
  characters: readonly string[],
  start: number,
): { readonly unit: Unit; readonly end: number } | undefined {
  let i = start + 1;
  const negated = characters[i] === '!' || characters[i] === '^';
  if (negated) i++;
  const ranges: (readonly [number, number])[] = [];
  const pointAt = (): number => {
    if (characters[i] === '\\' && i + 1 < characters.length) i++;
    return characters[i++].codePointAt(0) ?? 0;
  };
  for (const first = i; i < characters.length; ) {
    if (characters[i] === ']' && i > first) return { unit: { kind: 'class', negated, ranges }, end: i };
    const from = pointAt();
    const isRange = characters[i] === '-' && i + 1 < characters.length && characters[i + 1] !== ']';
    if (isRange) i++;
    ranges.push([from, isRange ? pointAt() : from]);
  }
  return undefined;
}
