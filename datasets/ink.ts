/** Ink on paper: strokes of varying width, drawn as distances to their middle lines. */
import type { Random } from '../sdk/base/random.js';

/** Height and width of an image, in pixels. */
export const SIDE = 28;

/** A path as short straight pieces: x, y, x, y, … */
export type Trace = Float64Array;

/**
 * Draws the paths, white ink (255) on black paper (0).
 *
 * @param trace in pixels
 * @param image 28 × 28 bytes, row by row; overwritten
 */
export function ink(trace: readonly Trace[], random: Random, image: Uint8Array): void {
  const pen = choosePen(random);
  depth.fill(-SIDE);
  for (const path of trace) {
    const phase = 2 * Math.PI * random.uniform();
    const speed = 1 + 2 * random.uniform();
    const pieces = path.length / 2 - 1;
    for (let k = 0; k < pieces; k++) {
      const [x0, y0, x1, y1] = path.subarray(2 * k, 2 * k + 4);
      const along = Math.cos(2 * (Math.atan2(y1 - y0, x1 - x0) - pen.nib));
      const pressure = 1 + pen.pressure * Math.sin(phase + (2 * Math.PI * speed * k) / pieces);
      const lift = Math.min(1, 0.75 + 0.05 * Math.min(k + 1, pieces - k)); // thinner at both ends
      press(x0, y0, x1, y1, pen.radius * pressure * lift * (1 - (pen.flatness * (1 + along)) / 2));
    }
  }
  for (let i = 0; i < image.length; i++) {
    const cover = 0.5 + depth[i] / pen.softness;
    const grain = cover > 0 && cover < 1 ? 0.08 * random.normal() : 0; // ink frays at its edges
    image[i] = 255 * clamp(cover + grain, 0, 1);
  }
  const specks = random.uniform() < 0.06 ? 1 + random.below(3) : 0;
  for (let i = 0; i < specks; i++) {
    image[random.below(image.length)] = 40 + random.below(160);
  }
}

/** What a digit is written with. */
interface Pen {
  /** Half the width of a stroke, in pixels. */
  readonly radius: number;
  /** How far the edge of a stroke fades, in pixels. */
  readonly softness: number;
  /** A broad pen is thin along this direction (radians) … */
  readonly nib: number;
  /** … by this share of its width. */
  readonly flatness: number;
  /** How much the pressure changes along a stroke: a share of the width. */
  readonly pressure: number;
}

/** A thin or a thick pen, round or broad, steady or not. */
function choosePen(random: Random): Pen {
  return {
    radius: clamp(1.3 * Math.exp(0.28 * random.normal()), 0.75, 2.3),
    softness: 0.8 + 0.6 * random.uniform(),
    nib: Math.PI * (0.25 + 0.15 * random.normal()),
    flatness: 0.35 * random.uniform(),
    pressure: 0.08 + 0.16 * random.uniform(),
  };
}

/** Signed distance to the nearest edge of ink, positive inside, in pixels. Shared: drawing is synchronous. */
const depth = new Float64Array(SIDE * SIDE);

/** Lowers the pen from (x0, y0) to (x1, y1): a piece of a stroke with round ends. */
function press(x0: number, y0: number, x1: number, y1: number, radius: number): void {
  const reach = radius + 1;
  const [dx, dy] = [x1 - x0, y1 - y0];
  const squared = dx * dx + dy * dy || 1;
  const left = Math.max(0, Math.floor(Math.min(x0, x1) - reach));
  const right = Math.min(SIDE - 1, Math.floor(Math.max(x0, x1) + reach));
  const top = Math.max(0, Math.floor(Math.min(y0, y1) - reach));
  const bottom = Math.min(SIDE - 1, Math.floor(Math.max(y0, y1) + reach));
  for (let row = top; row <= bottom; row++) {
    for (let column = left; column <= right; column++) {
      const [px, py] = [column + 0.5 - x0, row + 0.5 - y0];
      const t = clamp((px * dx + py * dy) / squared, 0, 1);
      const [ex, ey] = [px - t * dx, py - t * dy];
      const inside = radius - Math.sqrt(ex * ex + ey * ey);
      if (inside > depth[row * SIDE + column]) depth[row * SIDE + column] = inside;
    }
  }
}

function clamp(value: number, low: number, high: number): number {
  return value < low ? low : value > high ? high : value;
}
