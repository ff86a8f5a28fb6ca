/** Where the windows of a convolution or pool lie on an image. */
import type { Window } from '../../nn/value.js';

/** Sizes of one sample. */
export interface Image {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

/** A window along one axis: it begins at `start`, which padding can put before 0, and covers the image from `first` to before `end`. */
export interface Span {
  readonly start: number;
  readonly first: number;
  readonly end: number;
}

/** All windows on an image: each of `rows` with each of `columns`. */
export interface Windows {
  readonly rows: readonly Span[];
  readonly columns: readonly Span[];
}

/** Where a layer's windows lie. Each holds at least one place of the image, since padding is less than the kernel. */
export function windowsOn({ height, width }: Image, { kernelSize, stride, padding }: Window): Windows {
  const { top, bottom, left, right } = padding;
  return {
    rows: spans(height, { kernel: kernelSize[0], step: stride[0], before: top, after: bottom }),
    columns: spans(width, { kernel: kernelSize[1], step: stride[1], before: left, after: right }),
  };
}

function spans(
  size: number,
  { kernel, step, before, after }: { kernel: number; step: number; before: number; after: number },
): Span[] {
  const places = Math.floor((size + before + after - kernel) / step) + 1;
  return Array.from({ length: places }, (_, i) => {
    const start = i * step - before;
    return { start, first: Math.max(start, 0), end: Math.min(start + kernel, size) };
  });
}
