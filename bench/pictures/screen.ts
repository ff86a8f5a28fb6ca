/** What a terminal shows after the bytes it was sent: as much of one as mindts uses. */

/** Letters that stand next to one another in one colour. */
export interface Span {
  readonly text: string;
  readonly colour: Colour;
}

export type Colour = 'plain' | 'red' | 'green' | 'yellow' | 'cyan';

/**
 * The lines a terminal shows, long lines wrapped at `columns`.
 *
 * @throws RangeError for a control sequence it does not know: then it would show something else than a terminal does
 * @example
 * screenOf('epoch 1\u001B[1Gepoch 2\r\ndone', { columns: 80 }).map(([span]) => span.text); // ['epoch 2', 'done']
 */
export function screenOf(output: string, { columns }: { readonly columns: number }): readonly (readonly Span[])[] {
  const lines: { letter: string; colour: Colour }[][] = [[]];
  let [column, colour]: [number, Colour] = [0, 'plain'];
  for (const [token, parameter, command] of output.matchAll(TOKENS)) {
    const line = lines[lines.length - 1];
    if (command === 'G') column = Math.max(1, Number(parameter)) - 1;
    else if (command === 'K') line.splice(parameter === '2' ? 0 : column);
    else if (command === 'm') colour = colourOf(parameter);
    else if (token === '\r') column = 0;
    else if (token === '\n') lines.push([]);
    else if (token < ' ') throw new RangeError(`no terminal sequence that is known: ${JSON.stringify(token)}`);
    else {
      if (column === columns) {
        lines.push([]);
        column = 0;
      }
      const current = lines[lines.length - 1];
      while (current.length < column) current.push({ letter: ' ', colour: 'plain' });
      current[column] = { letter: token, colour };
      column += 1;
    }
  }
  return lines.map(spansOf);
}

/** CSI sequences, then whatever else, letter by letter. */
const TOKENS = /\p{Cc}\[([\d;]*)([A-Za-z])|[^]/gu;

const COLOURS: Readonly<Record<string, Colour>> = { 31: 'red', 32: 'green', 33: 'yellow', 36: 'cyan' };

function colourOf(parameter: string): Colour {
  if (parameter === '' || parameter === '0' || parameter === '39') return 'plain';
  if (!Object.hasOwn(COLOURS, parameter)) throw new RangeError(`no colour that is known: ${parameter}`);
  return COLOURS[parameter];
}

function spansOf(line: readonly { readonly letter: string; readonly colour: Colour }[]): readonly Span[] {
  const spans: { text: string; colour: Colour }[] = [];
  for (const { letter, colour } of line) {
    const last = spans.at(-1);
    if (last?.colour === colour) last.text += letter;
    else spans.push({ text: letter, colour });
  }
  return spans;
}
