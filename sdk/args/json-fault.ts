/** Where a text stops being JSON. `JSON.parse` tells the place in some versions of Node, and in others not. */

/** What is wrong with a text that was to be JSON. */
export interface JsonFault {
  /** Characters before the place; the length of the text where it ends too early. */
  readonly at: number;
  /** What would have to stand there. */
  readonly expected: string;
}

/**
 * The first place at which a text cannot be JSON, whatever might follow; undefined when it is JSON.
 *
 * @example
 * jsonFault('[1, 2]'); // undefined
 * jsonFault("['a']"); // { at: 1, expected: 'a value or ]' }
 */
export function jsonFault(text: string): JsonFault | undefined {
  /** The closing brackets that are still to come. */
  const open: string[] = [];
  let state: State = 'value';
  let at = 0;
  for (;;) {
    at = endOf(SPACE, text, at) ?? at;
    if (state === 'end') return at === text.length ? undefined : { at, expected: 'the end' };
    const character = text.at(at) ?? '';
    const close = open.at(-1) ?? '';
    const fault = { at, expected: EXPECTED[state](close) };
    if (CLOSABLE.has(state) && character === close) {
      open.pop();
      at++;
      state = open.length > 0 ? 'more' : 'end';
      continue;
    }
    switch (state) {
      case 'colon':
      case 'more':
        if (character !== (state === 'colon' ? ':' : ',')) return fault;
        at++;
        state = state === 'more' && close === '}' ? 'name' : 'value';
        break;
      case 'name':
      case 'first name': {
        const end = endOf(STRING, text, at);
        if (end === undefined) return fault;
        at = end;
        state = 'colon';
        break;
      }
      case 'value':
      case 'first value': {
        if (character === '[' || character === '{') {
          open.push(character === '[' ? ']' : '}');
          at++;
          state = character === '[' ? 'first value' : 'first name';
          break;
        }
        const end = endOf(SCALAR, text, at);
        if (end === undefined) return fault;
        at = end;
        state = open.length > 0 ? 'more' : 'end';
        break;
      }
      default:
        throw state satisfies never;
    }
  }
}

/** What comes next. */
type State = 'value' | 'first value' | 'name' | 'first name' | 'colon' | 'more' | 'end';

/** Before what a bracket may close. */
const CLOSABLE: ReadonlySet<State> = new Set<State>(['first value', 'first name', 'more']);

const EXPECTED: Readonly<Record<Exclude<State, 'end'>, (close: string) => string>> = {
  value: () => 'a value',
  'first value': () => 'a value or ]',
  name: () => 'a name in double quotes',
  'first name': () => 'a name in double quotes or }',
  colon: () => ':',
  more: (close) => `, or ${close}`,
};

const SPACE = /[ \t\r\n]*/y;
// All characters from the space up, but the quote and the backslash.
const STRING = /"(?:[ !#-[\]-\u{10FFFF}]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/uy;
const SCALAR = new RegExp(`${STRING.source}|-?(?:0|[1-9]\\d*)(?:\\.\\d+)?(?:[eE][+-]?\\d+)?|true|false|null`, 'uy');

function endOf(token: RegExp, text: string, at: number): number | undefined {
  token.lastIndex = at;
  return token.test(text) ? token.lastIndex : undefined;
}
