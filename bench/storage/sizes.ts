/** How much is moved: as the promise says, or less of everything to see whether it runs. */
import type { Tree } from './content.js';

export interface Sizes {
  readonly large: Tree;
  readonly small: Tree;
  readonly folder: Tree;
  readonly zipLarge: Tree;
  readonly zipSmall: Tree;
}

const [KIB, MIB] = [2 ** 10, 2 ** 20];

export const WHOLE: Sizes = {
  large: { files: 1, size: 1024 * MIB },
  small: { files: 10_000, size: 4 * KIB },
  folder: { files: 1024, size: MIB },
  zipLarge: { files: 1, size: 1024 * MIB },
  zipSmall: { files: 20_000, size: 4 * KIB },
};

export const QUICK: Sizes = {
  large: { files: 1, size: 64 * MIB },
  small: { files: 1000, size: 4 * KIB },
  folder: { files: 64, size: MIB },
  zipLarge: { files: 1, size: 64 * MIB },
  zipSmall: { files: 1000, size: 4 * KIB },
};
