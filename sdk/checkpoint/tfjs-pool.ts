/**
 * Pools with padding that Keras does not have. Its padding layers put zeros around, which a maximum may choose and a mean counts.
 * So windows that reach over an edge are pooled from the part of them that lies inside, rows first, then columns: the maximum of
 * a rectangle is that of its rows' maxima, and its mean that of their means.
 */
import type { Window } from '../nn/value.js';
import type { AddLayer } from './tfjs-topology.js';

/** Adds the layers of such a pool; returns the last one's name. */
export function poolInside(
  add: AddLayer,
  className: 'MaxPooling2D' | 'AveragePooling2D',
  { window, from, image }: { readonly window: Window; readonly from: string; readonly image: readonly number[] },
): string {
  const { top, bottom, left, right } = window.padding;
  const alongRows = [top, bottom] as const;
  const alongColumns = [left, right] as const;
  let last = from;
  for (const [axis, [before, after]] of [alongRows, alongColumns].entries()) {
    const kernel = window.kernelSize[axis];
    const stride = window.stride[axis];
    const size = image[axis + 1];
    /** Of this axis, and nothing of the other. */
    const only = <T>(value: T, other: T): readonly [T, T] => (axis === 0 ? [value, other] : [other, value]);
    const parts = partsOf({ size, kernel, stride, before, after }).map(({ begin, end, kernel: inside }) => {
      const cut: readonly string[] =
        begin === 0 && end === size
          ? [last]
          : [add('Cropping2D', { cropping: only([begin, size - end], [0, 0]), data_format: 'channels_last' }, [last])];
      const config = { pool_size: only(inside, 1), strides: only(stride, 1), padding: 'valid' };
      return add(className, { ...config, data_format: 'channels_last' }, cut);
    });
    last = parts.length === 1 ? parts[0] : add('Concatenate', { axis: axis + 1 }, parts);
  }
  return last;
}

interface Part {
  /** The first of the image's rows or columns that it reads, and the one after the last. */
  readonly begin: number;
  readonly end: number;
  /** How many of them each window holds. */
  readonly kernel: number;
}

/** Windows along one axis: each that reaches over an edge alone, those between together. */
function partsOf({
  size,
  kernel,
  stride,
  before,
  after,
}: {
  readonly size: number;
  readonly kernel: number;
  readonly stride: number;
  readonly before: number;
  readonly after: number;
}): readonly Part[] {
  const parts: { begin: number; end: number; kernel: number }[] = [];
  let inside: { begin: number; end: number; kernel: number } | undefined;
  for (let at = -before; at + kernel <= size + after; at += stride) {
    const begin = Math.max(0, at);
    const end = Math.min(size, at + kernel);
    if (end - begin === kernel && inside !== undefined) inside.end = end;
    else {
      const part = { begin, end, kernel: end - begin };
      if (part.kernel === kernel) inside = part;
      parts.push(part);
    }
  }
  return parts;
}
