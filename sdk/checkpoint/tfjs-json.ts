/**
 * `model.json` of TensorFlow.js's layers format, parsed: its manifest of weights, and the topology as Keras 2, Keras 3 and
 * TensorFlow.js write it, whose keys may be `kernel_size` or `kernelSize`.
 */
import { z } from 'zod';
import { CheckpointError } from '../base/errors.js';
import { quoted } from './tensor-file.js';

/** A `model.json` with more bytes is refused: those of the largest networks have less than 1 MiB. */
export const MAX_JSON = 8 * 1024 * 1024;

const size = z.int().min(0);
const pair = z.union([z.tuple([size, size]), z.tuple([size]).transform(([n]) => both(n)), size.transform(both)]);
const pairs = z.union([z.tuple([pair, pair]), size.transform((n) => both(both(n)))]);

const weight = z.object({
  name: z.string(),
  shape: z.array(size),
  dtype: z.string(),
  group: z.string().optional(),
  quantization: z.object({ dtype: z.string(), scale: z.number().optional(), min: z.number().optional() }).nullish(),
});
/** A weight as the manifest describes it. */
export type WeightSpec = z.infer<typeof weight>;

const manifest = z.array(z.object({ paths: z.array(z.string()), weights: z.array(weight) }));
/** Groups of weights that lie one after another in some files. */
export type Manifest = z.infer<typeof manifest>;

const modelFile = z.object({
  format: z.string().nullish(),
  modelTopology: z.record(z.string(), z.unknown()).nullish(),
  weightsManifest: manifest,
});

/** `['dense', 0, 0]`, maybe with options after it. */
const reference = z.tuple([z.string(), z.int(), z.int()], z.unknown()).transform(([name]) => name);
/** Keras 3's way to say the same. */
const kerasTensor = z
  .object({ config: z.object({ keras_history: reference }) })
  .transform(({ config }) => config.keras_history);
const inboundNode = z.union([
  z.array(reference),
  z.object({ args: z.array(z.union([kerasTensor, z.array(kerasTensor)])) }).transform(({ args }) => args.flat()),
]);

const shape = z.array(z.union([z.int(), z.null()]));
/** What of a layer's configuration means anything here; the rest is about training. */
const layerConfig = z.object({
  name: z.string().optional(),
  batch_input_shape: shape.nullish(),
  batch_shape: shape.nullish(),
  filters: size.optional(),
  units: size.optional(),
  kernel_size: pair.optional(),
  pool_size: pair.optional(),
  strides: pair.nullish(),
  dilation_rate: pair.optional(),
  depth_multiplier: size.optional(),
  groups: size.optional(),
  padding: z.union([z.string(), pairs]).optional(),
  cropping: pairs.optional(),
  data_format: z.string().nullish(),
  use_bias: z.boolean().default(true),
  activation: z.unknown().optional(),
  axis: z.union([z.int(), z.tuple([z.int()]).transform(([n]) => n)]).optional(),
  center: z.boolean().default(true),
  scale: z.boolean().default(true),
  max_value: z.number().nullish(),
  negative_slope: z.unknown().optional(),
  threshold: z.unknown().optional(),
  dims: z.array(z.int()).optional(),
  target_shape: z.array(z.int()).optional(),
  keepdims: z.boolean().nullish(),
});
export type LayerConfig = z.infer<typeof layerConfig>;

/** A layer of a topology. */
export interface TopologyLayer {
  readonly name: string;
  readonly className: string;
  readonly config: LayerConfig;
  /** The layers it reads, once for every place where it stands. */
  readonly inbound: readonly (readonly string[])[];
}

/** What a `model.json` says. */
export interface ModelJson {
  readonly manifest: Manifest;
  /** In the file's order; undefined where there are weights alone. */
  readonly layers: readonly TopologyLayer[] | undefined;
}

/**
 * Parses a `model.json`.
 *
 * @param source the file's name, for errors
 * @throws CheckpointError `E_CKPT_FORMAT` for what is no layers model, `E_CKPT_UNSUPPORTED`
 *   for a graph model, and for a model that holds another
 */
export function parseModelJson(bytes: Uint8Array, source: string): ModelJson {
  const { format, modelTopology, weightsManifest } = parse(modelFile, json(bytes, source), {
    source,
    where: 'model.json',
  });
  if (format === 'graph-model' || (modelTopology != null && 'node' in modelTopology)) {
    throw new CheckpointError(
      'E_CKPT_UNSUPPORTED',
      `${source}: is a graph model, which has operations for layers; convert the Keras model again, with --output_format tfjs_layers_model`,
    );
  }
  return { manifest: weightsManifest, layers: modelTopology == null ? undefined : readTopology(modelTopology, source) };
}

const layerList = z.array(z.record(z.string(), z.unknown()));
const modelConfig = z.union([layerList, z.object({ layers: layerList }).transform(({ layers }) => layers)]);
const model = z.object({ class_name: z.string(), config: modelConfig });

const MODELS: ReadonlySet<string> = new Set(['Sequential', 'Functional', 'Model']);

function readTopology(topology: Readonly<Record<string, unknown>>, source: string): readonly TopologyLayer[] {
  const outer = withSnakeKeys(topology);
  const inner = outer['model_config'] ?? outer;
  const { class_name: className, config } = parse(model, withSnakeKeys(inner), { source, where: 'modelTopology' });
  if (!MODELS.has(className)) {
    throw new CheckpointError(
      'E_CKPT_UNSUPPORTED',
      `${source}: the model is a ${quoted(className)}; only Sequential and Functional models can be read`,
    );
  }
  const isSequential = className === 'Sequential';
  let before: readonly string[] = [];
  return config.map((entry, i) => {
    const layer = readLayer(entry, i, source);
    if (!isSequential) return layer;
    const inSequence = { ...layer, inbound: [before] };
    before = [layer.name];
    return inSequence;
  });
}

const layerEntry = z.object({
  class_name: z.string(),
  name: z.string().optional(),
  config: z.unknown().optional(),
  inbound_nodes: z.array(inboundNode).optional(),
});

function readLayer(entry: unknown, i: number, source: string): TopologyLayer {
  const where = `layer ${i + 1}`;
  const { class_name: className, ...found } = parse(layerEntry, withSnakeKeys(entry), { source, where });
  if (MODELS.has(className)) {
    throw new CheckpointError(
      'E_CKPT_UNSUPPORTED',
      `${source}: ${where} is a model in the model (${className}); put its layers in its place, and save again`,
    );
  }
  const config = parse(layerConfig, withSnakeKeys(found.config), { source, where: `${where}, a ${quoted(className)}` });
  const name = found.name ?? config.name;
  if (name === undefined) throw new CheckpointError('E_CKPT_FORMAT', `${source}: ${where} has no name`);
  return { name, className, config, inbound: found.inbound_nodes ?? [] };
}

/** The keys of an object, `kernelSize` as `kernel_size`. */
function withSnakeKeys(value: unknown): Record<string, unknown> {
  const entries = typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.entries(value) : [];
  return Object.fromEntries(entries.map(([key, item]) => [key.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`), item]));
}

function parse<T>(
  schema: z.ZodType<T>,
  value: unknown,
  { source, where }: { readonly source: string; readonly where: string },
): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const path = issue.path.length > 0 ? ` at ${quoted(issue.path.join('.'))}` : '';
  throw new CheckpointError(
    'E_CKPT_FORMAT',
    `${source}: not a TensorFlow.js model, or damaged: ${where}${path}: ${issue.message.slice(0, 200)}`,
  );
}

function json(bytes: Uint8Array, source: string): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw new CheckpointError('E_CKPT_FORMAT', `${source}: not a TensorFlow.js model.json: it is not JSON`, {
      cause: error,
    });
  }
}

function both<T>(value: T): [T, T] {
  return [value, value];
}
