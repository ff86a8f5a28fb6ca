/**
 * How people write the ten digits: for each a few variants, for each variant the paths of the pen.
 *
 * A path is a row of points `x,y` on a page 100 units high (y points down), joined by a smooth curve;
 * `!` after a point makes it a corner.
 */
export interface Skeleton {
  /** How common this variant is among those of its digit. */
  readonly weight: number;
  readonly strokes: readonly Stroke[];
}

/** One path of the pen, from where it touches the paper to where it leaves. */
export type Stroke = readonly StrokePoint[];

/** A point the pen passes. */
export interface StrokePoint {
  readonly x: number;
  readonly y: number;
  readonly corner: boolean;
}

/** The variants of each digit: `SKELETONS[7]` are the sevens. */
export const SKELETONS: readonly (readonly Skeleton[])[] = [
  [
    variant(4, '58,2 32,8 15,38 18,78 42,98 70,86 83,50 74,14 48,2'),
    variant(3, '66,10 42,3 17,28 12,66 34,97 68,84 82,44 68,8 44,10'), // the ends cross
    variant(2, '50,4 24,20 14,60 36,97 68,88 82,50 74,20 62,8'), // not quite closed
    variant(1, '44,6 70,10 84,44 70,90 40,98 16,66 22,22 54,4 72,14'), // the other way round
  ],
  [
    variant(6, '52,0 50,50 48,100'),
    variant(1, '54,0 46,34 46,70 52,100'), // bent
    variant(2, '30,24 52,2! 52,50 50,100'), // with a serif
    variant(1, '30,22 52,2! 52,50 51,98', '28,99 74,97'), // and a foot
    variant(0.5, '51,2 52,50 51,98', '30,99 72,98'),
  ],
  [
    variant(3, '18,24 36,4 64,6 72,30 50,62 14,96! 50,95 88,96'),
    variant(3, '16,22 36,3 66,6 74,32 54,66 26,95 9,88 24,74 52,90 90,92'), // with a loop
    variant(2, '20,10 52,2 74,16 58,52 18,94! 54,92 86,90'), // like a z
    variant(1, '22,30 26,8 52,1 72,22 60,54 34,84 14,96! 40,84 66,96 92,84'), // with a wave
  ],
  [
    variant(4, '18,14 44,1 70,14 62,38 38,47! 68,56 76,80 48,99 12,88'),
    variant(2, '18,5 72,4! 42,42! 70,54 74,82 44,99 12,86'), // with a flat top
    variant(2, '18,14 46,2 70,18 56,42 32,52 30,44 46,44 76,62 68,90 40,99 12,86'), // with a loop
    variant(2, '22,10 54,2 70,22 50,46 60,54 74,74 54,97 14,92'), // in one swing
  ],
  [
    variant(3, '30,4 22,28 14,54! 50,55 86,50', '70,8 64,50 58,100'), // open
    variant(3, '20,6 16,40 32,52 54,48 72,34', '76,2 68,40 60,100'), // open and round
    variant(2, '64,2 36,34 10,66! 50,66 92,64', '66,2 63,50 60,100'), // closed
    variant(2, '22,6 16,34 30,50 58,44 76,6! 70,50 60,100'), // without lifting the pen
  ],
  [
    variant(3, '76,3 30,5! 22,44! 48,37 74,54 72,84 44,99 12,90'),
    variant(3, '32,8 22,44! 50,40 76,58 68,90 40,99 10,90', '32,7 58,6 88,2'), // the bar last
    variant(2, '78,5 44,4 26,24 42,46 68,62 64,90 38,99 10,90'), // like an s
    variant(1, '72,4 36,6! 28,40! 54,42 66,66 50,92 16,98'),
  ],
  [
    variant(3, '66,2 38,22 18,58 24,90 50,99 72,80 60,60 36,62 20,80'),
    variant(3, '54,1 34,34 22,72 36,97 64,92 70,70 50,58 24,76'),
    variant(2, '76,8 50,4 24,34 14,74 40,99 74,86 70,60 42,56 20,76'), // with a hook on top
    variant(1, '50,1 26,44 20,82 46,98 62,78 46,66 26,82'), // with a small bowl
  ],
  [
    variant(4, '14,9 48,7 80,5! 58,46 42,100'),
    variant(2, '14,8 48,7 80,5! 58,46 44,100', '34,52 76,48'), // with a bar
    variant(2, '14,26 17,9! 50,8 82,5! 60,46 50,100'), // with a serif
    variant(2, '12,16 40,5 76,9 68,40 52,70 46,100'), // round
  ],
  [
    variant(4, '70,14 48,1 24,16 36,42 64,62 70,86 44,99 20,84 32,58 62,38 72,14'),
    variant(2, '52,2 28,12 30,38 50,46 70,36 70,12 48,2', '50,46 24,60 22,90 50,99 76,88 74,60 48,46'), // two rings
    variant(2, '76,8 50,2 26,18 40,44 66,66 60,94 34,97 24,78 44,54 70,30 74,18'), // open at the top
    variant(2, '72,10 50,2 28,16 40,42 64,66 60,92 34,98 22,80 42,56 66,34 84,4'), // running out upwards
  ],
  [
    variant(3, '72,14 48,3 22,18 24,44 50,50 72,32 76,12! 72,50 66,100'),
    variant(2, '70,18 46,3 22,20 26,46 52,50 72,28 76,14! 74,62 58,94 28,96'), // with a curved tail
    variant(3, '68,10 42,4 20,26 30,48 58,42 72,12 66,56 48,100'), // in one swing
    variant(1, '70,20 60,4 38,4 26,26 42,42 66,26 70,16! 68,60 68,100'), // with a small bowl
  ],
];

function variant(weight: number, ...paths: readonly string[]): Skeleton {
  return { weight, strokes: paths.map((path) => path.split(' ').map(strokePoint)) };
}

function strokePoint(text: string): StrokePoint {
  const corner = text.endsWith('!');
  const [x, y] = (corner ? text.slice(0, -1) : text).split(',').map(Number);
  return { x, y, corner };
}
