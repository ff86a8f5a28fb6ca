/**
 * The known word that `word` is probably a misspelling of, or undefined when none is close: at most one
 * letter in three inserted, left out or replaced (Levenshtein, 1965).
 *
 * @example
 * nearest('epochsize', ['data_url', 'epoch_size']); // 'epoch_size'
 */
export function nearest(word: string, known: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(word.length / 3)) + 1;
  for (const candidate of known) {
    const far = distance(word, candidate);
    if (far < bestDistance) [best, bestDistance] = [candidate, far];
  }
  return best;
}

/**
 * That there is no such word, for people.
 *
 * @example
 * noSuch('command', 'staus', ['status', 'stop']); // 'there is no command staus (did you mean status?); there are status, stop'
 */
export function noSuch(what: string, word: string, known: readonly string[]): string {
  const meant = nearest(word, known);
  const asked = meant === undefined ? '' : ` (did you mean ${meant}?)`;
  return `there is no ${what} ${word}${asked}; there are ${known.join(', ')}`;
}

function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const above = row;
    row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = above[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(replaced, above[j] + 1, row[j - 1] + 1));
    }
  }
  return row[b.length];
}
