/**
 * What of an image is looked at: transforms that are carried out while the image is decoded, as data. They make bytes of
 * one size, which the engine's transforms (`transforms.ts`) take from there.
 */
import { DatasetError } from '../base/errors.js';
import type { Random } from '../base/random.js';
import { type InputPlan, planInput, type Transform } from './transforms.js';

/** A transform of an image on its way from the file to bytes. */
export type ImageTransform =
  | {
      readonly kind: 'randomResizedCrop';
      readonly size: number;
      readonly scale: readonly [number, number];
      readonly ratio: readonly [number, number];
    }
  | { readonly kind: 'centerCrop'; readonly size: number; readonly resize: number }
  | { readonly kind: 'randomHorizontalFlip'; readonly probability: number };

/**
 * A random part of the image, resized to `size` × `size`. As torchvision's: up to ten draws of an area and an aspect
 * ratio, then the largest part in the middle whose ratio is allowed.
 *
 * @param options scale: the area's share of the image, default 0.08 to 1; ratio: width to height, default 3/4 to 4/3
 */
export function randomResizedCrop(
  size: number,
  {
    scale = [0.08, 1],
    ratio = [3 / 4, 4 / 3],
  }: { readonly scale?: readonly [number, number]; readonly ratio?: readonly [number, number] } = {},
): ImageTransform {
  return { kind: 'randomResizedCrop', size, scale, ratio };
}

/**
 * The middle `size` × `size` of the image after its shorter side was resized to `resize`.
 *
 * @param options resize: default 8/7 of `size`, which is 256 for 224
 */
export function centerCrop(
  size: number,
  { resize = Math.round((size * 8) / 7) }: { readonly resize?: number } = {},
): ImageTransform {
  return { kind: 'centerCrop', size, resize };
}

/** Left and right change places. */
export function randomHorizontalFlip(probability = 0.5): ImageTransform {
  return { kind: 'randomHorizontalFlip', probability };
}

/** The size of an image as it is seen, its EXIF orientation applied. */
export interface SeenSize {
  readonly width: number;
  readonly height: number;
}

/** A rectangle of pixels. */
export interface Box {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** What becomes of one image: a part of it is resized, and a part of that is kept, perhaps flipped. */
export interface View {
  readonly from: Box;
  readonly resize: { readonly width: number; readonly height: number };
  readonly keep: Box;
  readonly flip: boolean;
}

/** What a list of transforms comes to: how to draw a view, then the engine's plan. */
export interface ViewPlan {
  readonly crop: Exclude<ImageTransform, { kind: 'randomHorizontalFlip' }>;
  /** The probability of a flip. */
  readonly flip: number;
  readonly input: InputPlan;
}

/**
 * Folds a list of transforms: one crop, perhaps a flip, then those of the engine.
 *
 * @throws DatasetError `E_TRANSFORM`
 * @example
 * planViews([centerCrop(224), rescale(1 / 255)]).input.height; // 224
 */
export function planViews(transforms: readonly (ImageTransform | Transform)[]): ViewPlan {
  const [crop, ...others] = transforms;
  if (crop?.kind !== 'randomResizedCrop' && crop?.kind !== 'centerCrop') {
    throw wrong('images of many sizes need randomResizedCrop or centerCrop as their first transform');
  }
  requireCrop(crop);
  let flip = 0;
  const rest: Transform[] = [];
  for (const transform of others) {
    if (transform.kind === 'randomResizedCrop' || transform.kind === 'centerCrop') {
      throw wrong(`${transform.kind}: an image can be cropped only once`);
    }
    if (transform.kind !== 'randomHorizontalFlip') rest.push(transform);
    else if (rest.length > 0) throw wrong(`randomHorizontalFlip belongs before ${rest[0].kind}`);
    else if (!(transform.probability >= 0 && transform.probability <= 1)) {
      throw wrong(`randomHorizontalFlip: a probability lies in 0 to 1, not at ${transform.probability}`);
    } else flip = transform.probability;
  }
  return { crop, flip, input: planInput({ height: crop.size, width: crop.size, channels: 3 }, rest) };
}

/** Draws what becomes of an image. */
export function drawView({ crop, flip }: ViewPlan, { width, height }: SeenSize, random: Random): View {
  const { size } = crop;
  const square = { width: size, height: size };
  if (crop.kind === 'randomResizedCrop') {
    const from = drawBox(crop, { width, height }, random);
    return { from, resize: square, keep: { left: 0, top: 0, ...square }, flip: random.uniform() < flip };
  }
  // The longer side is cut to a whole number, and the middle rounded, as torchvision does.
  const shorter = Math.min(width, height);
  const resize = {
    width: Math.floor((crop.resize * width) / shorter),
    height: Math.floor((crop.resize * height) / shorter),
  };
  const keep = { left: half(resize.width - size), top: half(resize.height - size), ...square };
  return { from: { left: 0, top: 0, width, height }, resize, keep, flip: random.uniform() < flip };
}

/** n / 2, rounded to the even number where it lies in the middle of two, as Python does. */
function half(n: number): number {
  return Math.floor(n / 2) + Number(n % 4 === 3);
}

function drawBox(
  { scale, ratio }: Extract<ImageTransform, { kind: 'randomResizedCrop' }>,
  { width, height }: SeenSize,
  random: Random,
): Box {
  const [low, high] = ratio.map(Math.log);
  for (let attempt = 0; attempt < 10; attempt++) {
    const area = width * height * (scale[0] + (scale[1] - scale[0]) * random.uniform());
    const aspect = Math.exp(low + (high - low) * random.uniform());
    const w = Math.round(Math.sqrt(area * aspect));
    const h = Math.round(Math.sqrt(area / aspect));
    if (w < 1 || h < 1 || w > width || h > height) continue;
    return { top: random.below(height - h + 1), left: random.below(width - w + 1), width: w, height: h };
  }
  const aspect = width / height;
  const w = aspect > ratio[1] ? Math.max(1, Math.round(height * ratio[1])) : width;
  const h = aspect < ratio[0] ? Math.max(1, Math.round(width / ratio[0])) : height;
  return { left: Math.floor((width - w) / 2), top: Math.floor((height - h) / 2), width: w, height: h };
}

/** Larger than any network reads: a mistake, or meant to fill the memory. */
const LARGEST_SIZE = 4096;

function requireCrop(crop: ViewPlan['crop']): void {
  const { kind, size } = crop;
  if (!Number.isInteger(size) || size < 1 || size > LARGEST_SIZE) {
    throw wrong(`${kind}: a size must be a whole number from 1 to ${LARGEST_SIZE}, not ${size}`);
  }
  if (kind === 'centerCrop') {
    if (Number.isInteger(crop.resize) && crop.resize >= size && crop.resize <= 2 * LARGEST_SIZE) return;
    throw wrong(`centerCrop: ${size} pixels cannot be kept of images resized to ${crop.resize}`);
  }
  const [least, most] = crop.scale;
  if (!(least > 0 && least <= most && most <= 1)) {
    throw wrong(`randomResizedCrop: scale must rise within 0 to 1, not from ${least} to ${most}`);
  }
  const [narrow, wide] = crop.ratio;
  if (!(narrow > 0 && narrow <= wide && Number.isFinite(wide))) {
    throw wrong(`randomResizedCrop: ratio must be positive and rise, not from ${narrow} to ${wide}`);
  }
}

function wrong(message: string): DatasetError {
  return new DatasetError('E_TRANSFORM', message);
}
