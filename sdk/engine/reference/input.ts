/** From the bytes of a data set to what the network reads. */
import type { Dataset } from '../../dataset/dataset.js';
import type { InputPlan } from '../../dataset/transforms.js';
import type { Batch } from './batch.js';

/**
 * Puts samples together as the network reads them.
 *
 * @param plan what becomes of an image
 * @param batchSize the most samples at a time; they are put where those of the last call were
 */
export function batchAssembler(plan: InputPlan, batchSize: number): (data: Dataset, positions: Int32Array) => Batch {
  const { source, height, width } = plan;
  const read = imageReader(plan);
  const stored = source.height * source.width * source.channels;
  const size = height * width * source.channels;
  const inputs = new Float64Array(batchSize * size);
  return (data, positions) => {
    for (const [i, position] of positions.entries()) {
      read(data.images, position * stored, inputs.subarray(i * size, (i + 1) * size));
    }
    const labels = positions.map((position) => data.labels[position]);
    return { inputs: inputs.subarray(0, positions.length * size), labels };
  };
}

/** Fills `into`, `[channels, height, width]`, from the image that starts at byte `offset` of `images`. */
type ImageReader = (images: Uint8Array, offset: number, into: Float64Array) => void;

/** Resizes bilinearly, then into[c, y, x] = pixel · scale[c] + shift[c]. The image is stored `[height, width, channels]`. */
function imageReader({ source, height, width, scale, shift }: InputPlan): ImageReader {
  const { channels } = source;
  const rows = neighbours(source.height, height);
  const columns = neighbours(source.width, width);
  const rowBytes = source.width * channels;
  return (images, offset, into) => {
    let to = 0;
    for (let c = 0; c < channels; c++) {
      for (let y = 0; y < height; y++) {
        const above = offset + rows.first[y] * rowBytes + c;
        const below = offset + rows.second[y] * rowBytes + c;
        const down = rows.fraction[y];
        for (let x = 0; x < width; x++) {
          const left = columns.first[x] * channels;
          const right = columns.second[x] * channels;
          const across = columns.fraction[x];
          const top = between(images[above + left], images[above + right], across);
          const bottom = between(images[below + left], images[below + right], across);
          into[to++] = between(top, bottom, down) * scale[c] + shift[c];
        }
      }
    }
  };
}

/** In this form the mean of two equal numbers is exactly that number. */
function between(a: number, b: number, fraction: number): number {
  return a + (b - a) * fraction;
}

/**
 * The two stored pixels between which each resized one lies, and how far towards the second. Pixel i of n has its
 * centre at (i + ½) / n of the image; beyond the outermost centres the image goes on as at its edge.
 */
function neighbours(from: number, to: number): { first: Int32Array; second: Int32Array; fraction: Float64Array } {
  const first = new Int32Array(to);
  const second = new Int32Array(to);
  const fraction = new Float64Array(to);
  for (let i = 0; i < to; i++) {
    const at = Math.min(Math.max(((i + 0.5) * from) / to - 0.5, 0), from - 1);
    first[i] = Math.floor(at);
    second[i] = Math.min(first[i] + 1, from - 1);
    fraction[i] = at - first[i];
  }
  return { first, second, fraction };
}
