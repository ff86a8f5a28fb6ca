/** The order in which all stores list names, so that two listings can be compared side by side. */

/**
 * Compares by UTF-8 bytes, as object stores sort their keys. That is the order of code points; JavaScript's own is that of
 * UTF-16.
 *
 * @example
 * ['b', 'a/', 'a-'].sort(compareNames); // ['a-', 'a/', 'b']
 */
export function compareNames(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const [x, y] = [a.charCodeAt(i), b.charCodeAt(i)];
    if (x !== y) return rank(x) - rank(y);
  }
  return a.length - b.length;
}

/** Surrogates stand for characters that come after all others. */
function rank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}
