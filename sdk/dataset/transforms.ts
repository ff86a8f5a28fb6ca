/**
 * Transforms as data. They describe what happens to an image between the bytes of the data set and the network;
 * an engine carries them out while it puts a batch together, all in one pass.
 */
import { DatasetError } from '../base/errors.js';

/** One step from bytes (height × width × channels) to what the network reads (channels × height × width). */
export type Transform =
  | { readonly kind: 'resize'; readonly height: number; readonly width: number }
  | { readonly kind: 'rescale'; readonly factor: number }
  | { readonly kind: 'normalize'; readonly mean: readonly number[]; readonly std: readonly number[] };

/** Bilinear, with half-pixel centres and no antialiasing: OpenCV's, PyTorch's `align_corners=False`. */
export function resize(height: number, width: number): Transform {
  return { kind: 'resize', height, width };
}

/** x · factor; `rescale(1 / 255)` takes bytes to [0, 1]. */
export function rescale(factor: number): Transform {
  return { kind: 'rescale', factor };
}

/** (x − mean) / std, per channel; one number stands for every channel. */
export function normalize(mean: number | readonly number[], std: number | readonly number[]): Transform {
  return { kind: 'normalize', mean: [mean].flat(), std: [std].flat() };
}

/** What a list of transforms comes to: an optional resize, then x · scale + shift per channel. */
export interface InputPlan {
  /** The stored image: rows, columns, channels, one byte each, channels innermost. */
  readonly source: { readonly height: number; readonly width: number; readonly channels: number };
  readonly height: number;
  readonly width: number;
  /** One per channel. */
  readonly scale: readonly number[];
  /** One per channel. */
  readonly shift: readonly number[];
}

/**
 * Folds transforms into one pass. That is exact because a bilinear weight sum is 1, so that resizing and
 * x · scale + shift may change places.
 *
 * @throws DatasetError `E_TRANSFORM` for a transform that does not fit the images
 * @example
 * const plan = planInput({ height: 28, width: 28, channels: 1 }, [resize(32, 32), rescale(1 / 255), normalize(0.1307, 0.3081)]);
 * plan.height; // 32
 */
export function planInput(source: InputPlan['source'], transforms: readonly Transform[]): InputPlan {
  const scale = Array.from({ length: source.channels }, () => 1);
  const shift = scale.map(() => 0);
  let { height, width } = source;
  let resized = false;
  for (const transform of transforms) {
    switch (transform.kind) {
      case 'resize':
        if (resized) throw new DatasetError('E_TRANSFORM', 'an image can be resized only once');
        requireSize(transform.height);
        requireSize(transform.width);
        ({ height, width } = transform);
        resized = true;
        break;
      case 'rescale':
        requireFinite('rescale', transform.factor);
        for (const c of scale.keys()) {
          scale[c] *= transform.factor;
          shift[c] *= transform.factor;
        }
        break;
      case 'normalize':
        for (const c of scale.keys()) {
          const mean = channelValue('mean', transform.mean, c, source.channels);
          const std = channelValue('std', transform.std, c, source.channels);
          if (std === 0) throw new DatasetError('E_TRANSFORM', 'normalize: std must not be 0');
          scale[c] /= std;
          shift[c] = (shift[c] - mean) / std;
        }
        break;
      default:
        throw transform satisfies never;
    }
  }
  return { source, height, width, scale, shift };
}

function channelValue(what: string, values: readonly number[], channel: number, channels: number): number {
  if (values.length !== 1 && values.length !== channels) {
    throw new DatasetError('E_TRANSFORM', `normalize: ${values.length} values of ${what} for ${channels} channels`);
  }
  const value = values.length === 1 ? values[0] : values[channel];
  requireFinite(`normalize: ${what}`, value);
  return value;
}

function requireFinite(what: string, value: number): void {
  if (!Number.isFinite(value)) throw new DatasetError('E_TRANSFORM', `${what} must be a number, not ${value}`);
}

function requireSize(size: number): void {
  if (!Number.isInteger(size) || size < 1) {
    throw new DatasetError('E_TRANSFORM', `resize: a size must be a whole number of at least 1, not ${size}`);
  }
}
