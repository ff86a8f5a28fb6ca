/**
 * One handwritten digit: a skeleton is bent by the hand, slanted, fitted and centred as MNIST's authors
 * did (a box of 20 × 20 in the middle of 28 × 28, http://yann.lecun.com/exdb/mnist/), and inked.
 */
import type { Random } from '../sdk/base/random.js';
import { ink, SIDE, type Trace } from './ink.js';
import { SKELETONS, type Skeleton, type Stroke } from './skeletons.js';

/**
 * Draws a digit, white ink (255) on black paper (0).
 *
 * @param digit 0 … 9
 * @param random where everything that differs between two images of a digit comes from
 * @param image 28 × 28 bytes, row by row; overwritten
 * @example
 * const image = new Uint8Array(28 * 28);
 * drawDigit(7, seededRandom(1, 'a seven'), image);
 */
export function drawDigit(digit: number, random: Random, image: Uint8Array): void {
  const skeleton = chooseVariant(SKELETONS[digit], random);
  const trace = skeleton.strokes.map((stroke) => curve(shake(stroke, random)));
  bend(trace, random);
  place(trace, random);
  ink(trace, random, image);
}

function chooseVariant(variants: readonly Skeleton[], random: Random): Skeleton {
  const total = variants.reduce((sum, { weight }) => sum + weight, 0);
  let rest = random.uniform() * total;
  return variants.find(({ weight }) => (rest -= weight) < 0) ?? variants[0];
}

/** Moves every point a little: the hand strays (most where it lands) and steers back. */
function shake(stroke: Stroke, random: Random): Stroke {
  let [dx, dy] = [4.5 * random.normal(), 4.5 * random.normal()];
  return stroke.map(({ x, y, corner }) => {
    const moved = { x: x + dx, y: y + dy, corner };
    dx = 0.55 * dx + 2.9 * random.normal();
    dy = 0.55 * dy + 2.9 * random.normal();
    return moved;
  });
}

const PIECES = 10;

/**
 * A smooth curve through the points: a cubic Hermite spline with Catmull and Rom's tangents, running out
 * without curvature (the natural end condition) at both ends and on both sides of a corner.
 */
function curve(stroke: Stroke): Trace {
  const segments = stroke.length - 1;
  const trace = new Float64Array(2 * (segments * PIECES + 1));
  const breaks = (i: number) => i === 0 || i === segments || stroke[i].corner;
  // The tangent at point i of the segment whose other end is `other`.
  const tangent = (i: number, other: number, axis: Axis): number => {
    if (!breaks(i)) return (stroke[i + 1][axis] - stroke[i - 1][axis]) / 2;
    const chord = Math.sign(other - i) * (stroke[other][axis] - stroke[i][axis]);
    return breaks(other) ? chord : (3 * chord - tangent(other, i, axis)) / 2;
  };
  for (let i = 0; i < segments; i++) {
    for (const [offset, axis] of AXES) {
      const [p, q] = [stroke[i][axis], stroke[i + 1][axis]];
      const [m, n] = [tangent(i, i + 1, axis), tangent(i + 1, i, axis)];
      for (let k = 0; k <= PIECES; k++) {
        const t = k / PIECES;
        const s = 1 - t;
        trace[2 * (i * PIECES + k) + offset] = s * s * ((1 + 2 * t) * p + t * m) + t * t * ((3 - 2 * t) * q - s * n);
      }
    }
  }
  return trace;
}

type Axis = 'x' | 'y';

const AXES: readonly (readonly [offset: number, axis: Axis])[] = [
  [0, 'x'],
  [1, 'y'],
];

/**
 * What a hand does to a whole digit: larger or smaller loops at the top, an elastic distortion (two slow
 * waves), slant, rotation and aspect.
 */
function bend(trace: readonly Trace[], random: Random): void {
  const drop = 0.2 * random.normal(); // how far the middle sinks, in quarters of the height
  const waves = [0, 1].map(() => ({
    ax: 3 * random.normal(),
    ay: 3 * random.normal(),
    kx: 0.035 * random.normal(),
    ky: 0.035 * random.normal(),
    phase: 2 * Math.PI * random.uniform(),
  }));
  const slant = 0.15 + 0.25 * random.normal();
  const angle = 0.12 * random.normal();
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const aspect = 0.9 * Math.exp(0.18 * random.normal());
  for (const path of trace) {
    for (let i = 0; i < path.length; i += 2) {
      let x = path[i];
      let y = path[i + 1];
      y += (drop * y * (100 - y)) / 100;
      for (const { ax, ay, kx, ky, phase } of waves) {
        const wave = Math.sin(kx * x + ky * y + phase);
        x += ax * wave;
        y += ay * wave;
      }
      x = aspect * (x - 50) - slant * (y - 50);
      y -= 50;
      path[i] = cos * x - sin * y;
      path[i + 1] = sin * x + cos * y;
    }
  }
}

/** Fits the digit into a box of about 20 × 20 pixels, its centre of mass near the middle of the image. */
function place(trace: readonly Trace[], random: Random): void {
  let [left, right, top, bottom] = [Infinity, -Infinity, Infinity, -Infinity];
  let [length, massX, massY] = [0, 0, 0];
  for (const path of trace) {
    for (let i = 0; i < path.length; i += 2) {
      const [x, y] = [path[i], path[i + 1]];
      left = Math.min(left, x);
      right = Math.max(right, x);
      top = Math.min(top, y);
      bottom = Math.max(bottom, y);
      if (i === 0) continue;
      const piece = Math.hypot(x - path[i - 2], y - path[i - 1]);
      length += piece;
      massX += (piece * (x + path[i - 2])) / 2;
      massY += (piece * (y + path[i - 1])) / 2;
    }
  }
  const scale = (17.5 * Math.exp(0.07 * random.normal())) / Math.max(right - left, bottom - top);
  const shiftX = SIDE / 2 - (scale * massX) / length + 0.9 * random.normal();
  const shiftY = SIDE / 2 - (scale * massY) / length + 0.9 * random.normal();
  for (const path of trace) {
    for (let i = 0; i < path.length; i += 2) {
      path[i] = scale * path[i] + shiftX;
      path[i + 1] = scale * path[i + 1] + shiftY;
    }
  }
}
