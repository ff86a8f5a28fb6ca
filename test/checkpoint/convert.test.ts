import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { type Checkpoint, loadCheckpoint, saveCheckpoint } from '../../sdk/checkpoint/checkpoint.js';
import { convertCheckpoint } from '../../sdk/checkpoint/convert.js';
import type { Float32Tensor } from '../../sdk/checkpoint/tensor-file.js';
import { dense, input } from '../../sdk/nn/layers.js';
import { initialParameters, type Network, network } from '../../sdk/nn/network.js';
import { buildNetwork, NETWORK_NAMES } from '../../sdk/nn/networks.js';
import { floats } from './files.js';

/** A network's first parameters. */
function drawn(of: Network): ReadonlyMap<string, Float32Tensor> {
  const values = initialParameters(of, 1);
  return new Map(
    of.parameters.map(({ name, shape, offset, size }) => [
      name,
      { shape, data: values.subarray(offset, offset + size) },
    ]),
  );
}

async function saved(t: Test, parameters: Checkpoint['parameters'], more: Partial<Checkpoint> = {}): Promise<string> {
  const path = join(t.testdir(), 'given.ckpt');
  await saveCheckpoint(path, { parameters, optimizer: new Map(), epoch: 0, step: 0, ...more });
  return path;
}

for (const name of NETWORK_NAMES) {
  test(`${name} goes through every format, and comes back the same to the last byte`, async (t) => {
    const { network } = buildNetwork(name, { classes: 7, channels: 3, height: 24, width: 24 });
    const given = await saved(t, drawn(network));
    const file = (step: number, format: string): string => join(t.testdirName, String(step), `a.${format}`);
    // First to a Caffe model, so that all hold parameters alone.
    await convertCheckpoint(given, file(0, 'caffemodel'), { network: name });
    await convertCheckpoint(file(0, 'caffemodel'), file(0, 'onnx'));
    let from = file(0, 'caffemodel');
    for (const [i, format] of [
      'json',
      'ckpt',
      'safetensors',
      'json',
      'safetensors',
      'ckpt',
      'caffemodel',
      'onnx',
    ].entries()) {
      await convertCheckpoint(from, file(i, format));
      if (format !== 'onnx') from = file(i, format);
    }
    const same = (a: string, b: string): void => t.ok(readFileSync(a).equals(readFileSync(b)), `${a} and ${b}`);
    same(file(0, 'json'), file(3, 'json'));
    same(file(1, 'ckpt'), file(5, 'ckpt'));
    same(file(2, 'safetensors'), file(4, 'safetensors'));
    same(file(0, 'caffemodel'), file(6, 'caffemodel'));
    same(file(0, 'onnx'), file(7, 'onnx'));
    t.strictSame((await loadCheckpoint(file(5, 'ckpt'))).parameters, drawn(network), 'and holds what went in');
  });

  test(`${name} is found by names and shapes, with its classes, channels and image size`, async (t) => {
    const { network: wanted } = buildNetwork(name, { classes: 7, channels: 3, height: 44, width: 44 });
    const { network: found } = await convertCheckpoint(await saved(t, drawn(wanted)), join(t.testdirName, 'a.onnx'));
    t.equal(found?.name, wanted.name);
    t.same(found?.outputShape, [7]);
    t.same(found?.inputShape, wanted.inputShape);
    const { network: own } = await convertCheckpoint(
      await saved(t, drawn(buildNetwork(name).network)),
      join(t.testdirName, 'a.onnx'),
    );
    t.same(own, buildNetwork(name).network, 'its own size is preferred to another that fits');
  });
}

test('images that are not square are said, not found', async (t) => {
  const { network: wanted } = buildNetwork('lenet300-100', { height: 20, width: 30 });
  const path = await saved(t, drawn(wanted));
  const onnx = join(t.testdirName, 'a.onnx');
  await t.rejects(convertCheckpoint(path, onnx), {
    code: 'E_CKPT_NETWORK',
    message: /none of lenet5, lenet300-100, lenet5-caffe, lenet-keras .*--network.*--image_height and --image_width/,
  });
  t.same((await convertCheckpoint(path, onnx, { height: 20, width: 30 })).network?.inputShape, [1, 20, 30]);
  t.same((await convertCheckpoint(path, onnx, { height: 20 })).network?.inputShape, [1, 20, 30], 'one side is enough');
});

test('a network that is asked for must be the one in the file', async (t) => {
  const path = await saved(t, drawn(buildNetwork('lenet5-caffe').network));
  await t.rejects(convertCheckpoint(path, join(t.testdirName, 'a.safetensors'), { network: 'lenet5' }), {
    code: 'E_CKPT_SHAPE',
    message:
      /"conv1\.weight" has the shape \[20, 1, 5, 5\], and this network wants \[6, 1, 5, 5\]; .*lacks "fc1\.weight".*; these parameters fit --network lenet5-caffe$/,
  });
  await t.rejects(convertCheckpoint(path, join(t.testdirName, 'a.json'), { height: 100 }), { code: 'E_CKPT_NETWORK' });
  await t.rejects(convertCheckpoint(path, join(t.testdirName, 'a.h5')), {
    code: 'E_CKPT_EXTENSION',
    message:
      /a\.h5: its extension says what to convert to: \.ckpt, \.safetensors, \.caffemodel, \.mtsp, \.json, \.onnx/,
  });
  const none = await saved(t, new Map([['lstm.weight', floats([0, 1])]]));
  await t.rejects(convertCheckpoint(none, join(t.testdirName, 'a.json')), { code: 'E_CKPT_NETWORK' });
});

test('a network of one’s own is given itself, and its parameters must be those of the file', async (t) => {
  const own = network('own', dense(input([3]), { name: 'fc', outFeatures: 2 }));
  const path = await saved(t, drawn(own));
  for (const format of ['json', 'onnx', 'safetensors']) {
    const to = join(t.testdirName, `a.${format}`);
    t.equal((await convertCheckpoint(path, to, { network: own })).network, own);
    t.ok(readFileSync(to).length > 0);
  }
  t.strictSame((await loadCheckpoint(join(t.testdirName, 'a.json'))).parameters, drawn(own));
  const wider = network('wider', dense(input([4]), { name: 'fc', outFeatures: 2 }));
  for (const format of ['json', 'onnx', 'safetensors']) {
    await t.rejects(convertCheckpoint(path, join(t.testdirName, `b.${format}`), { network: wider }), {
      code: 'E_CKPT_SHAPE',
      message: /"fc\.weight" has the shape \[2, 3\], and this network wants \[2, 4\]/,
    });
  }
  for (const wrong of ['lenet6', 7, {}]) {
    // From JavaScript.
    const args = [path, join(t.testdirName, 'b.onnx'), { network: wrong }];
    await t.rejects(Reflect.apply(convertCheckpoint, undefined, args), {
      code: 'E_CKPT_NETWORK',
      message: `network: ${JSON.stringify(wrong)} is none of lenet5, lenet300-100, lenet5-caffe, lenet-keras, and no network that network() made`,
    });
  }
});

test('what the new format has no place for is named; .ckpt and .safetensors hold everything', async (t) => {
  const parameters = drawn(buildNetwork('lenet300-100').network);
  const path = await saved(t, new Map([...parameters, ['extra.weight', floats([1, 1], 1)]]), {
    optimizer: new Map([
      ['moments.ip1.bias', floats([300], ...new Float32Array(300))],
      ['momentum', floats([], 0.9)],
    ]),
    epoch: 2,
    step: 9,
    state: { network: 'lenet300-100', seed: 1 },
  });
  const leftOut = async (format: string) => (await convertCheckpoint(path, join(t.testdirName, `a.${format}`))).leftOut;
  const counts = ['epoch_num', 'step_num'];
  t.same(await leftOut('safetensors'), []);
  for (const alone of ['caffemodel', 'mtsp']) {
    t.same(await leftOut(alone), [...counts, 'moments.ip1.bias', 'momentum', 'mindts.state'], alone);
  }
  for (const format of ['json', 'onnx']) {
    t.same(await leftOut(format), [...counts, 'extra.weight', 'moments.ip1.bias', 'momentum', 'mindts.state']);
  }
  t.strictSame(await loadCheckpoint(join(t.testdirName, 'a.safetensors')), await loadCheckpoint(path));
});
