/** Trees of files as people have them, and worse: drawn by a seed. */
import type { Random } from '../../sdk/base/random.js';

/** Files by their names below a folder, parts of a name separated by `/`. */
export type Tree = ReadonlyMap<string, Buffer>;

/** Draws from one to twelve files, most of them small, one in four of several parts. */
export function randomTree(
  random: Random,
  options: { readonly partSize: number; readonly takes: (name: string) => boolean },
): Tree {
  const { partSize, takes } = options;
  const folders = ['', ...Array.from({ length: random.below(4) }, () => `${name(random)}/`)];
  // Folders in folders, too.
  for (const folder of folders.slice(1)) if (random.below(2) === 0) folders.push(`${folder}${name(random)}/`);
  const tree = new Map<string, Buffer>();
  for (let left = 1 + random.below(12); left > 0; left--) {
    const path = folders[random.below(folders.length)] + name(random);
    // On a disk no name is a file's and a folder's.
    const isTaken = [...tree.keys(), ...folders].some((other) => `${other}/`.startsWith(`${path}/`));
    if (!isTaken && takes(path)) tree.set(path, content(random, sizeOf(random, partSize)));
  }
  return tree.size > 0 ? tree : randomTree(random, options);
}

/** Random bytes: no two parts of a file, and no two files, are alike. */
export function content(random: Random, size: number): Buffer {
  const bytes = Buffer.allocUnsafe(Math.ceil(size / 4) * 4);
  // A linear congruence (Numerical Recipes, 1992) is random enough here, and fast.
  let state = random.uint32();
  for (let at = 0; at < bytes.length; at += 4) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes.writeUInt32LE(state, at);
  }
  return bytes.subarray(0, size);
}

function sizeOf(random: Random, partSize: number): number {
  switch (random.below(8)) {
    case 0:
      return 0;
    case 1:
      return partSize * random.below(4) + random.below(3);
    case 2:
      return random.below(4 * partSize);
    default:
      return random.below(3000);
  }
}

/** What stores, URLs, signatures and XML stumble over. */
const PIECES = [
  ...`a B 7 手写数字 数据 集 é e\u0301 😀 \uff5e . .. - _ ~ # % %41 %2F + & &amp; = ? ; : , ! $ ' "`.split(' '),
  ...'( ) [ ] { } < > | ^ ` @ * \\'.split(' '),
  ' ',
  '  ',
];

function name(random: Random): string {
  let text = '';
  for (let left = random.below(6); left > 0; left--) text += PIECES[random.below(PIECES.length)];
  // A disk takes 255 bytes.
  if (random.below(20) === 0) text += '长'.repeat(60);
  return /^\.{0,2}$/.test(text) ? `${text}x` : text;
}
