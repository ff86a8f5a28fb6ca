/** Single layers beside PyTorch's: forward and backward with every gradient, a batch of 32. */

import { loadLibrary } from '../sdk/engine/native/library.js';
import { encode, lower } from '../sdk/engine/native/lower.js';
import { conv2d, depthwiseConv2d } from '../sdk/nn/convolution.js';
import { dense, flatten, input } from '../sdk/nn/layers.js';
import { network } from '../sdk/nn/network.js';
import type { Value } from '../sdk/nn/value.js';
import { forwardFlops } from './flops.js';
import { median } from './measure.js';
import { startPeer } from './peer.js';
import type { Facts, Measurement } from './report.js';

/** A layer to measure, as it is here and as bench/torch_layers.py builds it. */
interface LayerCase {
  readonly title: string;
  readonly build: (x: Value) => Value;
  readonly task:
    | { readonly kind: 'dense'; readonly input: readonly number[]; readonly out: number }
    | ({ readonly kind: 'conv'; readonly input: readonly number[] } & Record<
        'out' | 'kernel' | 'stride' | 'padding' | 'groups',
        number
      >);
  /** At most this share of PyTorch's time. */
  readonly limit: number;
  /** At least this share of the peak, in percent. */
  readonly peakShare?: number;
}

const BATCH = 32;

const CASES: Readonly<Record<string, LayerCase>> = {
  conv3x3: { ...convolution([64, 32, 32], { out: 64, kernel: 3, padding: 1 }), limit: 1 / 1.2, peakShare: 65 },
  conv1x1: convolution([64, 32, 32], { out: 256, kernel: 1 }),
  conv3x3_stride2: convolution([64, 32, 32], { out: 128, kernel: 3, stride: 2, padding: 1 }),
  conv5x5: convolution([32, 28, 28], { out: 64, kernel: 5, padding: 2 }),
  conv7x7_stride2: convolution([3, 112, 112], { out: 64, kernel: 7, stride: 2, padding: 3 }),
  depthwise3x3: convolution([64, 32, 32], { out: 64, kernel: 3, padding: 1, groups: 64 }),
  dense1024: {
    title: 'dense 1024 → 1024',
    build: (x) => dense(x, { name: 'layer', outFeatures: 1024 }),
    task: { kind: 'dense', input: [1024], out: 1024 },
    limit: 1,
  },
};

/** A figure for each layer and each number of threads: `conv3x3_1_thread`. */
export const layerFigures: Readonly<Record<string, Facts & { measure(bench: Repeats): Promise<Measurement> }>> =
  Object.fromEntries(
    Object.entries(CASES).flatMap(([name, layer]) =>
      [1, 2].map((threads) => {
        const shown = `${threads} thread${threads === 1 ? '' : 's'}`;
        return [
          `${name}_${shown.replace(' ', '_')}`,
          {
            title: `${layer.title}, forward and all gradients, batch ${BATCH}, ${shown}`,
            unit: 'ms',
            target: { is: '≤', limit: layer.limit, ofPeer: true },
            measure: ({ repeats }: Repeats) => measure(layer, threads, repeats),
          } satisfies Facts & { measure(bench: Repeats): Promise<Measurement> },
        ];
      }),
    ),
  );

interface Repeats {
  readonly repeats: number;
}

function convolution(
  shape: readonly [number, number, number],
  {
    out,
    kernel,
    stride = 1,
    padding = 0,
    groups = 1,
  }: Record<'out' | 'kernel', number> & Partial<Record<'stride' | 'padding' | 'groups', number>>,
): LayerCase {
  const [channels, height, width] = shape;
  const kind = groups > 1 ? 'depthwise' : 'convolution';
  const options = { name: 'layer', kernelSize: kernel, stride, padding };
  return {
    title: `${kind} ${kernel}×${kernel}${stride > 1 ? `, stride ${stride}` : ''}, ${channels} → ${out} channels of ${height}×${width}`,
    build: (x) => (groups > 1 ? depthwiseConv2d(x, options) : conv2d(x, { ...options, outChannels: out })),
    task: { kind: 'conv', input: shape, out, kernel, stride, padding, groups },
    limit: 1,
  };
}

/** The least time of some rounds, ours and the peer's in turn; of several such, the median. */
async function measure({ build, task, peakShare }: LayerCase, threads: number, repeats: number): Promise<Measurement> {
  const { instructionSets, layerSeconds, peak } = loadLibrary();
  const [set] = instructionSets();
  const layer = network('layer', flatten(build(input(task.input))));
  const op = encode(lower(layer).operations.slice(0, 1));
  // Forward, and as much again for each of two gradients.
  const flops = 3 * BATCH * forwardFlops(layer);
  const rounds = Math.max(5, Math.min(300, Math.round(1e11 / flops)));
  const peer = await startPeer('torch_layers.py', [String(threads)]);
  const [ours, theirs, peaks]: [number[], number[], number[]] = [[], [], []];
  for (let i = 0; i < repeats; i++) {
    peaks.push(await peak(set, threads, 0.3));
    ours.push(1e3 * (await layerSeconds(set, op, layer.parameterCount, BATCH, threads, rounds)));
    if (peer) theirs.push(1e3 * (await peer.ask(JSON.stringify({ ...task, batch: BATCH, rounds }))));
  }
  peer?.close();
  const share = (100 * flops) / (median(ours) / 1e3) / median(peaks);
  const goal = peakShare === undefined ? '' : `, of which ${peakShare} % are the target`;
  return {
    value: median(ours),
    ...(peer && { peer: median(theirs) }),
    note: `${share.toFixed(0)} % of the peak${goal}${peer ? `; beside ${peer.name}` : ''}`,
  };
}
