/** One layer of a Keras model, as far as networks here have it: what it makes of what it reads, and the weights that it holds. */
import { CheckpointError } from '../base/errors.js';
import { quoted } from './tensor-file.js';
import {
  type Form,
  flattened,
  type Image,
  image,
  isAlike,
  isInOrder,
  joined,
  shapeOf,
  sizeOf,
  type Vector,
  vector,
} from './tfjs-form.js';
import type { LayerConfig, TopologyLayer } from './tfjs-json.js';

/** A weight that a layer holds. */
export interface LayerWeight {
  /** The layer's name, and so the parameter's. */
  readonly layer: string;
  /** Keras's name for it: `kernel`, `gamma`. */
  readonly role: string;
  /** In Keras. */
  readonly shape: readonly number[];
  /** What its first axis counts, where that is not in one order in Keras and here. */
  readonly order?: Vector;
  /** Where the layer does without: what it amounts to. */
  readonly absent?: number;
}

/** Pieces that a vector is put together of, at most. */
const MAX_PIECES = 1024;

/**
 * Reads one layer. What networks here do not have is refused.
 *
 * @throws CheckpointError from every method: `E_CKPT_UNSUPPORTED`, `E_CKPT_SHAPE`, `E_CKPT_FORMAT`, `E_CKPT_LIMIT`, naming the layer
 */
export class KerasLayerReader {
  private readonly config: LayerConfig;

  constructor(
    private readonly layer: TopologyLayer,
    private readonly source: string,
  ) {
    this.config = layer.config;
    if (layer.inbound.length > 1) throw this.unsupported('stands in several places, which share its weights');
  }

  /** What comes into the model by this layer. */
  input(): Form {
    const [, ...sizes] = this.config.batch_input_shape ?? this.config.batch_shape ?? [];
    const known = sizes.filter((size) => size !== null).filter((size) => size > 0);
    if (known.length === sizes.length && known.length === 3) return image(known[0], known[1], known[2]);
    if (known.length === sizes.length && known.length === 1) return vector(known[0]);
    throw this.unsupported(
      `reads ${sizes.length === 0 ? 'it is not said what' : show(sizes)}; give the model's first layer an inputShape, [rows, columns, channels] or [features]`,
    );
  }

  /** What the layer makes of what it reads. */
  output(from: readonly Form[]): Form {
    const { config } = this;
    const [x] = from;
    switch (this.layer.className) {
      case 'InputLayer':
      case 'Dropout':
        return x;
      case 'Activation':
        return this.activated(x);
      case 'Softmax':
        return this.activated(x, 'softmax');
      case 'ReLU':
        return this.rectified(x);
      case 'Conv2D':
        return this.activated(image(...this.places(x, 'kernel_size'), this.required('filters')));
      case 'DepthwiseConv2D':
        return this.activated(
          image(...this.places(x, 'kernel_size'), this.channels(x) * (config.depth_multiplier ?? 1)),
        );
      case 'MaxPooling2D':
      case 'AveragePooling2D':
        return image(...this.places(x, 'pool_size'), this.channels(x));
      case 'GlobalMaxPooling2D':
      case 'GlobalAveragePooling2D':
        return config.keepdims === true ? image(1, 1, this.channels(x)) : vector(this.channels(x));
      case 'ZeroPadding2D':
        return this.resized(x, this.pairs('padding'), 1);
      case 'Cropping2D':
        return this.resized(x, this.pairs('cropping'), -1);
      case 'Dense':
        this.vector(x);
        return this.activated(vector(this.required('units')));
      case 'Flatten':
        this.requireChannelsLast();
        return flattened(x);
      case 'Permute':
        return this.permuted(x);
      case 'Reshape':
        return this.reshaped(x);
      case 'BatchNormalization':
        this.requireLastAxis(x);
        return x;
      case 'Add':
        return this.sum(from);
      case 'Concatenate':
        return this.concatenated(from);
      default:
        throw this.unsupported(`is not among the layers of networks here (${LAYERS})`);
    }
  }

  /** The weights it holds. */
  weights(x: Form): readonly LayerWeight[] {
    const { config } = this;
    const layer = this.layer.name;
    const bias = (size: number): readonly LayerWeight[] =>
      config.use_bias ? [{ layer, role: 'bias', shape: [size] }] : [];
    switch (this.layer.className) {
      case 'Conv2D': {
        const filters = this.required('filters');
        const shape = [...this.required('kernel_size'), this.channels(x), filters];
        return [{ layer, role: 'kernel', shape }, ...bias(filters)];
      }
      case 'DepthwiseConv2D': {
        const multiplier = config.depth_multiplier ?? 1;
        const shape = [...this.required('kernel_size'), this.channels(x), multiplier];
        return [{ layer, role: 'depthwise_kernel', shape }, ...bias(this.channels(x) * multiplier)];
      }
      case 'Dense': {
        const order = this.vector(x);
        const units = this.required('units');
        return [{ layer, role: 'kernel', shape: [sizeOf(x), units], order }, ...bias(units)];
      }
      case 'BatchNormalization': {
        const size = x.rank === 3 ? x.sizes[2] : sizeOf(x);
        const each = { layer, shape: [size], ...(x.rank === 1 && { order: x }) };
        return [
          { ...each, role: 'gamma', ...(!config.scale && { absent: 1 }) },
          { ...each, role: 'beta', ...(!config.center && { absent: 0 }) },
          { ...each, role: 'moving_mean' },
          { ...each, role: 'moving_variance' },
        ];
      }
      default:
        return [];
    }
  }

  unsupported(what: string): CheckpointError {
    return this.error('E_CKPT_UNSUPPORTED', what);
  }

  private error(code: string, what: string): CheckpointError {
    const { name, className } = this.layer;
    return new CheckpointError(code, `${this.source}: layer ${quoted(name)}, a ${quoted(className)}: ${what}`);
  }

  private required<K extends 'filters' | 'units' | 'kernel_size'>(key: K): NonNullable<LayerConfig[K]> {
    const value = this.config[key];
    if (value !== undefined && value !== null) return value;
    throw this.error('E_CKPT_FORMAT', `lacks its ${key}`);
  }

  /** An image with its axes where Keras has them. */
  private image(x: Form): Image {
    this.requireChannelsLast();
    if (x.rank === 3 && x.axes.join() === '0,1,2') return x;
    throw this.unsupported(`reads an image [rows, columns, channels], not ${show(shapeOf(x))}`);
  }

  private vector(x: Form): Vector {
    if (x.rank === 1) return x;
    throw this.unsupported(`reads a vector, not ${show(shapeOf(x))}; put a Flatten before it`);
  }

  private channels(x: Form): number {
    return this.image(x).sizes[2];
  }

  private requireChannelsLast(): void {
    const format = this.config.data_format ?? 'channels_last';
    if (format !== 'channels_last' && format !== 'channelsLast') {
      throw this.unsupported(`has the data format ${quoted(format)}; save the model with channels_last`);
    }
  }

  /** Rows and columns that a window makes. */
  private places(x: Form, key: 'kernel_size' | 'pool_size'): readonly [number, number] {
    const { dilation_rate: dilation, groups = 1, padding = 'valid' } = this.config;
    if (dilation?.some((rate) => rate !== 1))
      throw this.unsupported(`has the dilation ${dilation.join('×')}; here it is always 1`);
    if (groups !== 1) throw this.unsupported(`has ${groups} groups; here convolutions have one, or are depthwise`);
    if (padding !== 'valid' && padding !== 'same')
      throw this.error('E_CKPT_FORMAT', 'has a padding that is neither valid nor same');
    const window = key === 'kernel_size' ? this.required(key) : (this.config.pool_size ?? [2, 2]);
    const strides = this.config.strides ?? (key === 'kernel_size' ? [1, 1] : window);
    const { sizes } = this.image(x);
    const [rows, columns] = [0, 1].map((axis) => {
      const covered = padding === 'same' ? sizes[axis] : sizes[axis] - window[axis] + 1;
      const places = Math.ceil(covered / strides[axis]);
      if (window[axis] >= 1 && strides[axis] >= 1 && places >= 1) return places;
      throw this.error('E_CKPT_SHAPE', `its window ${window.join('×')} does not fit into ${show(sizes)}`);
    });
    return [rows, columns];
  }

  private activated(x: Form, activation = this.config.activation ?? 'linear'): Form {
    if (activation === 'linear' || activation === 'relu' || (activation === 'softmax' && x.rank === 1)) return x;
    const name = typeof activation === 'string' ? quoted(activation) : 'of its own';
    throw this.unsupported(`has an activation ${name}; networks here have relu, and softmax of a vector`);
  }

  private rectified(x: Form): Form {
    const { max_value: highest, negative_slope: slope, threshold } = this.config;
    if ((highest === undefined || highest === null) && isZero(slope) && isZero(threshold)) return x;
    throw this.unsupported('has a highest value, a slope or a threshold; the relu of networks here is max(x, 0)');
  }

  private pairs(key: 'padding' | 'cropping'): readonly (readonly [number, number])[] {
    const value = this.config[key];
    if (typeof value === 'object') return value;
    throw this.error('E_CKPT_FORMAT', `has a ${key} that is not [[top, bottom], [left, right]]`);
  }

  /** With rows and columns put around it, or cut off. */
  private resized(x: Form, [rows, columns]: readonly (readonly [number, number])[], sign: 1 | -1): Form {
    const { sizes } = this.image(x);
    const height = sizes[0] + sign * (rows[0] + rows[1]);
    const width = sizes[1] + sign * (columns[0] + columns[1]);
    if (height < 1 || width < 1) throw this.error('E_CKPT_SHAPE', `leaves nothing of ${show(sizes)}`);
    return image(height, width, sizes[2]);
  }

  private permuted(x: Form): Form {
    const dims = this.config.dims ?? [];
    if (dims.toSorted().join() !== (x.rank === 3 ? '1,2,3' : '1')) {
      throw this.error('E_CKPT_SHAPE', `cannot put ${show(shapeOf(x))} in the order ${show(dims)}`);
    }
    return x.rank === 3 ? { ...x, axes: dims.map((dim) => x.axes[dim - 1]) } : x;
  }

  private reshaped(x: Form): Form {
    const target = this.config.target_shape ?? [];
    const known = target.reduce((product, size) => (size === -1 ? product : product * size), 1);
    const shape = target.map((size) => (size === -1 ? sizeOf(x) / known : size));
    const isPossible = shape.every((size) => Number.isInteger(size) && size > 0);
    if (!isPossible || shape.reduce((product, size) => product * size, 1) !== sizeOf(x)) {
      throw this.error('E_CKPT_SHAPE', `cannot make ${show(target)} of ${show(shapeOf(x))}`);
    }
    if (shape.join() === shapeOf(x).join()) return x;
    if (shape.length === 1) return flattened(x);
    const flat = flattened(x);
    if (shape.length === 3) {
      const [only] = flat.images;
      if (flat.images.length === 1 && shapeOf(only).join() === shape.join()) return only;
      if (x.rank === 1 && isInOrder(flat)) return image(shape[0], shape[1], shape[2]);
    }
    throw this.unsupported(
      `makes ${show(shape)} of ${show(shapeOf(x))}; networks here reshape nothing but to a vector`,
    );
  }

  private requireLastAxis(x: Form): void {
    const { axis = -1 } = this.config;
    const isLast = axis === -1 || axis === x.rank;
    if (!isLast) throw this.unsupported(`works along the axis ${axis}; here it is always the channels, the last`);
    if (x.rank === 3) this.image(x);
  }

  private sum(from: readonly Form[]): Form {
    const [x] = from;
    if (from.some((other) => shapeOf(other).join() !== shapeOf(x).join())) {
      throw this.error('E_CKPT_SHAPE', `cannot add ${show(...from.map(shapeOf))}`);
    }
    if (from.some((other) => !isAlike(other, x))) {
      throw this.unsupported('adds flattened images whose features lie in different orders');
    }
    return x;
  }

  private concatenated(from: readonly Form[]): Form {
    const { axis: given = -1 } = this.config;
    const [x] = from;
    const along = given === -1 ? x.rank - 1 : given - 1;
    if (from.some((form) => form.rank !== x.rank) || along < 0 || along >= x.rank) {
      throw this.error('E_CKPT_SHAPE', `cannot put ${show(...from.map(shapeOf))} together`);
    }
    if (x.rank === 1) {
      const vectors = from.map((form) => this.vector(form));
      if (vectors.reduce((sum, { images }) => sum + images.length, 0) > MAX_PIECES) {
        throw this.error('E_CKPT_LIMIT', `puts more than ${MAX_PIECES} flattened images together`);
      }
      return joined(vectors);
    }
    const all = from.map((form) => this.image(form).sizes);
    if (all.some((sizes) => sizes.some((size, axis) => axis !== along && size !== x.sizes[axis]))) {
      throw this.error('E_CKPT_SHAPE', `cannot put ${show(...all)} together`);
    }
    const [rows, columns, channels] = x.sizes.map((size, axis) =>
      axis === along ? all.reduce((sum, sizes) => sum + sizes[axis], 0) : size,
    );
    return image(rows, columns, channels);
  }
}

const LAYERS =
  'Conv2D, DepthwiseConv2D, Dense, MaxPooling2D, AveragePooling2D, their Global ones, Flatten, ReLU, Softmax, Activation, Dropout, BatchNormalization, Add, Concatenate, ZeroPadding2D, Cropping2D, Permute, Reshape';

/** Whether a number that may be left out, or be a list of one, is 0. */
function isZero(value: unknown): boolean {
  return [value].flat().every((n) => n === 0 || n === undefined || n === null);
}

/** Shapes for a message. */
function show(...shapes: readonly (readonly (number | null)[])[]): string {
  const each = shapes.slice(0, 4).map((shape) => `[${shape.slice(0, 8).join(', ')}]`);
  return each.join(' and ');
}
