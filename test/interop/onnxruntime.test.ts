/** onnxruntime runs what we write, and predicts as we do. Needs it in a Python; `onnx`, where it is there too, checks the files. */
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { test } from 'tap';
import { packageRoot } from '../../sdk/base/package.js';
import { encodeOnnx } from '../../sdk/checkpoint/onnx.js';
import { nativeEngine } from '../../sdk/engine/native/native.js';
import type { Network } from '../../sdk/nn/network.js';
import { buildNetwork, NETWORK_NAMES } from '../../sdk/nn/networks.js';
import {
  asInput,
  channelsFirst,
  classesOf,
  drawImages,
  drawParameters,
  everyLayer,
  predictions,
} from '../checkpoint/networks.js';
import { arbitraryCase } from '../engine/random-network.js';

const python = process.env['MINDTS_TEST_PYTHON'] ?? 'python3';
const hasRuntime = spawnSync(python, ['-c', 'import onnxruntime, numpy']).status === 0;
const skip = hasRuntime ? false : `${python} has no onnxruntime; set MINDTS_TEST_PYTHON to one that has`;

test('onnxruntime predicts as we do, for 1000 images by each network', { skip }, async (t) => {
  const named = NETWORK_NAMES.map((name) => buildNetwork(name).network);
  const engine = nativeEngine({ threads: 2 });
  for (const [seed, { net, images, outputs }] of run(t.testdir(), [...named, everyLayer()], 1000).entries()) {
    const [columns] = net.outputShape;
    const ours = await predictions(net, drawParameters(net, seed), { images, engine });
    const difference = distance(ours, outputs);
    t.ok(difference <= 1e-4, `${net.name}: ${difference}`);
    t.same(classesOf(ours, columns), classesOf(outputs, columns), `${net.name}: the same classes`);
  }
});

test('onnxruntime predicts as the reference engine does in random networks', { skip }, async (t) => {
  const drawn = fc.sample(arbitraryCase(), { numRuns: 200, seed: 3 }).map((found) => found.network);
  const faults: unknown[] = [];
  for (const [seed, { net, images, outputs }] of run(t.testdir(), drawn, 3).entries()) {
    const ours = await predictions(net, drawParameters(net, seed), { images });
    const difference = distance(ours, outputs) / Math.max(1, ...ours.map(Math.abs));
    if (!(difference <= 1e-5)) faults.push({ seed, difference, layers: net.nodes.map(({ layer }) => layer) });
  }
  t.same(faults, []);
});

/** The largest difference. */
function distance(a: Float32Array, b: Float32Array): number {
  return a.length === b.length ? Math.max(...a.map((value, i) => Math.abs(value - b[i]))) : Number.POSITIVE_INFINITY;
}

interface Result {
  readonly net: Network;
  readonly images: Uint8Array;
  readonly outputs: Float32Array;
}

/** What onnxruntime makes of random images by each network, with parameters drawn by its place as seed. */
function run(folder: string, networks: readonly Network[], count: number): readonly Result[] {
  const drawn = networks.map((net, seed) => {
    const images = drawImages(net, count, seed);
    writeFileSync(join(folder, `${seed}.onnx`), encodeOnnx(net, drawParameters(net, seed)));
    writeFileSync(join(folder, `${seed}.in`), new Uint8Array(channelsFirst(net, asInput(images)).buffer));
    return { net, images };
  });
  writeFileSync(join(folder, 'shapes.json'), JSON.stringify(networks.map(({ inputShape }) => [count, ...inputShape])));
  execFileSync(python, [join(packageRoot, 'test', 'interop', 'onnx_predict.py'), folder]);
  return drawn.map((of, seed) => {
    const bytes = new Uint8Array(readFileSync(join(folder, `${seed}.out`)));
    return { ...of, outputs: new Float32Array(bytes.buffer) };
  });
}
