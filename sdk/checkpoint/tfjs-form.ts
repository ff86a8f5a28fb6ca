/**
 * What flows between the layers of a Keras model: images `[rows, columns, channels]` and vectors, and, for a vector that was
 * flattened, where each of its features is in ours. Keras flattens channels last; networks here, channels first.
 */

/** An image, possibly with its axes in another order. */
export interface Image {
  readonly rank: 3;
  /** Rows, columns, channels. */
  readonly sizes: readonly [number, number, number];
  /** Which of rows (0), columns (1) and channels (2) each axis of the Keras tensor is. */
  readonly axes: readonly number[];
}

/** Flattened images one after another; plain features are an image of one position. */
export interface Vector {
  readonly rank: 1;
  readonly images: readonly Image[];
}

export type Form = Image | Vector;

/** An image as Keras has it unless it is told otherwise. */
export function image(rows: number, columns: number, channels: number): Image {
  return { rank: 3, sizes: [rows, columns, channels], axes: [0, 1, 2] };
}

/** Features in one order, here and there. */
export function vector(features: number): Vector {
  return { rank: 1, images: [image(1, 1, features)] };
}

/** How many numbers a form holds. */
export function sizeOf(form: Form): number {
  const images = form.rank === 3 ? [form] : form.images;
  return images.reduce((sum, { sizes: [rows, columns, channels] }) => sum + rows * columns * channels, 0);
}

/** The shape of the Keras tensor, the batch left out. */
export function shapeOf(form: Form): readonly number[] {
  return form.rank === 3 ? form.axes.map((axis) => form.sizes[axis]) : [sizeOf(form)];
}

/** Flattened as Keras does. */
export function flattened(form: Form): Vector {
  return form.rank === 3 ? { rank: 1, images: [form] } : form;
}

/** Vectors one after another. */
export function joined(vectors: readonly Vector[]): Vector {
  const images: Image[] = [];
  for (const next of vectors.flatMap((one) => one.images)) {
    const last = images.at(-1);
    // Plain features that meet are one, so that what is described stays short.
    if (last !== undefined && isPlain(last) && isPlain(next))
      images[images.length - 1] = plain(sizeOf(last) + sizeOf(next));
    else images.push(next);
  }
  return { rank: 1, images };
}

/** Whether a vector's features lie in one order in Keras and here. */
export function isInOrder({ images }: Vector): boolean {
  return images.every(isPlain);
}

/** Whether what lies in one place in one form is what lies there in the other. */
export function isAlike(a: Form, b: Form): boolean {
  if (a === b) return true;
  if (a.rank === 3 || b.rank === 3) return a.rank === b.rank && isOneLayout(flattened(a).images, flattened(b).images);
  return isOneLayout(a.images, b.images);
}

/**
 * For each feature of a Keras vector, its place in ours.
 *
 * @example
 * featureOrder({ rank: 1, images: [image(1, 2, 3)] }); // Int32Array.of(0, 2, 4, 1, 3, 5)
 */
export function featureOrder(form: Vector): Int32Array {
  const order = new Int32Array(sizeOf(form));
  let at = 0;
  for (const { sizes, axes } of form.images) {
    const [rows, columns] = sizes;
    const begin = at;
    // How far apart neighbours along rows, columns and channels lie in ours.
    const steps = [columns, 1, rows * columns];
    const [a, b, c] = axes;
    for (let i = 0; i < sizes[a]; i++) {
      for (let j = 0; j < sizes[b]; j++) {
        for (let k = 0; k < sizes[c]; k++) order[at++] = begin + i * steps[a] + j * steps[b] + k * steps[c];
      }
    }
  }
  return order;
}

/** Whether a flattened image lies as ours does: the axes of more than one are in the order channels, rows, columns. */
function isPlain({ sizes, axes }: Image): boolean {
  const ours = axes.filter((axis) => sizes[axis] > 1).map((axis) => (axis + 1) % 3);
  return ours.every((place, i) => i === 0 || ours[i - 1] < place);
}

function plain(features: number): Image {
  return image(1, 1, features);
}

function isOneLayout(a: readonly Image[], b: readonly Image[]): boolean {
  return (
    a.length === b.length &&
    a.every((one, i) => one.axes.join() === b[i].axes.join() && one.sizes.join() === b[i].sizes.join())
  );
}
