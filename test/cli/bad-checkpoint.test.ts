/** Wrong parameter files at the command line. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { writeDigits } from '../../datasets/digits.js';
import { saveCheckpoint } from '../../sdk/checkpoint/checkpoint.js';
import type { Float32Tensor } from '../../sdk/checkpoint/tensor-file.js';
import { initialParameters } from '../../sdk/nn/network.js';
import { buildNetwork } from '../../sdk/nn/networks.js';
import { craftZip } from '../archive/craft.js';
import { blob, net } from '../checkpoint/caffe.js';
import { run } from './command.js';
import { refuses } from './refuses.js';

interface Place {
  readonly root: string;
  readonly given: (name: string) => string;
  readonly inference: (ckpt: string, ...more: string[]) => readonly string[];
  readonly train: (...more: string[]) => readonly string[];
}

async function place(t: Test): Promise<Place> {
  const root = t.testdir({ given: {} });
  const given = (name: string): string => join(root, 'given', name);
  await writeDigits(given('set'), { train: 40, test: 20 });
  const data = ['--data_url', given('set')];
  return {
    root,
    given,
    inference: (ckpt, ...more) => [
      'inference',
      ...data,
      '--ckpt_url',
      ckpt,
      '--result_url',
      join(root, 'result'),
      ...more,
    ],
    train: (...more) => ['train', ...data, '--train_url', join(root, 'out'), '--epoch_size', '1', ...more],
  };
}

function lenet(): Map<string, Float32Tensor> {
  const { network } = buildNetwork('lenet5');
  const values = initialParameters(network, 1);
  return new Map(
    network.parameters.map(({ name, shape, offset, size }) => [
      name,
      { shape, data: values.slice(offset, offset + size) },
    ]),
  );
}

const save = (path: string, parameters: ReadonlyMap<string, Float32Tensor>): Promise<void> =>
  saveCheckpoint(path, { parameters, optimizer: new Map(), epoch: 0, step: 0 });

test('a file that is no parameter file is refused by what it is', async (t) => {
  const { root, given, inference } = await place(t);
  for (const [name, bytes, message] of [
    [
      'lenet.pth',
      craftZip([{ name: 'lenet/data.pkl', data: Buffer.from('cos\nsystem\n') }]),
      /lenet\.pth: is a Python pickle.*safetensors/,
    ],
    ['old.pt', Buffer.from('80028a0a6cfc9c46f9206aa85019', 'hex'), /old\.pt: is a Python pickle/],
    ['pickle.ckpt', Buffer.from('80049500', 'hex'), /pickle\.ckpt: is a Python pickle/],
    [
      'lenet.h5',
      Buffer.from('894844460d0a1a0a00', 'hex'),
      /lenet\.h5: is an HDF5 file, as Keras writes.*tensorflowjs_converter/,
    ],
    ['zipped.ckpt', craftZip([{ name: 'a.ckpt', data: Buffer.from('x') }]), /zipped\.ckpt: is a zip; unpack it/],
    ['gzipped.ckpt', Buffer.from('1f8b0800', 'hex'), /gzipped\.ckpt: is compressed with gzip/],
    ['page.ckpt', Buffer.from('<!doctype html>'), /page\.ckpt: is a web page/],
    ['text.ckpt', Buffer.from('hello\n'), /text\.ckpt: is a text/],
    ['run.json', Buffer.from('{"epochs":[]}'), /run\.json: not a TensorFlow\.js model/],
    ['onnx.ckpt', Buffer.from('080712066d696e647473', 'hex'), /onnx\.ckpt: is an ONNX model/],
    ['noise.ckpt', Buffer.from('ff00ff00', 'hex'), /noise\.ckpt: not a MindSpore checkpoint, or damaged/],
    ['empty.caffemodel', Buffer.alloc(0), /empty\.caffemodel: is empty/],
    ['noise.caffemodel', Buffer.from('a206ff', 'hex'), /noise\.caffemodel: ends at byte 3/],
    [
      'lstm.caffemodel',
      net({ name: 'lstm1', type: 'LSTM', blobs: [blob([1], 1)] }),
      /the layer "lstm1", of the type "LSTM"/,
    ],
  ] as const) {
    writeFileSync(given(name), bytes);
    await refuses(t, `inference with ${name}`, { args: inference(given(name)), message, root });
  }
  const convert = ['ckpt', 'convert', given('lenet.pth'), join(root, 'a.safetensors')];
  await refuses(t, 'conversion of a pickle', { args: convert, message: /lenet\.pth: is a Python pickle/, root });
});

test('parameters that do not fit, or are no numbers, are refused by name', async (t) => {
  const { root, given, inference, train } = await place(t);
  await save(given('lenet.caffemodel'), lenet());
  const message =
    /"fc3\.weight" has the shape \[10, 84\], and this network wants \[12, 84\]; "fc3\.bias" has the shape \[10\], and .*; its classes are 10: --num_classes 10$/m;
  await refuses(t, 'other classes', {
    args: inference(given('lenet.caffemodel'), '--num_classes', '12'),
    message,
    root,
  });
  await refuses(t, 'other classes in training', {
    args: train('--ckpt_url', given('lenet.caffemodel'), '--num_classes', '12'),
    message: /: --num_classes 10; training can start layers afresh: --ckpt_skip fc3$/m,
    root,
  });
  await refuses(t, 'layers to skip of no checkpoint', {
    args: train('--ckpt_skip', 'fc3'),
    message: /--ckpt_skip fc3: without --ckpt_url every layer starts afresh/,
    code: 2,
    root,
  });
  await refuses(t, 'another network', {
    args: inference(given('lenet.caffemodel'), '--network', 'lenet300-100'),
    message:
      /belongs to another network: it holds "conv1\.weight", .* wants "ip1\.weight".*; these parameters fit --network lenet5$/m,
    root,
  });
  const sick = lenet();
  sick.get('fc2.weight')?.data.fill(Number.NaN, 0, 3);
  sick.get('conv1.bias')?.data.fill(Infinity);
  await save(given('sick.ckpt'), sick);
  const nan =
    /sick\.ckpt: NaN or infinite are 6 of the 6 numbers of "conv1\.bias", 3 of the 10080 numbers of "fc2\.weight"/;
  await refuses(t, 'NaN in inference', { args: inference(given('sick.ckpt')), message: nan, root });
  await refuses(t, 'NaN in training', { args: train('--ckpt_url', given('sick.ckpt')), message: nan, root });
  await refuses(t, 'nothing of that name', {
    args: train('--ckpt_url', given('lenet.caffemodel'), '--ckpt_skip', 'fc3,fc9'),
    message: /cannot skip "fc9": the network lenet has the layers conv1, conv2, fc1, fc2, fc3/,
    root,
  });
  await refuses(t, 'no such network', {
    args: train('--network', 'lenet6'),
    message: /--network lenet6: expected lenet5, /,
    code: 2,
    root,
  });
});

test('conversions that cannot be are refused, naming what there is', async (t) => {
  const { root, given } = await place(t);
  const convert = (...args: string[]) => ['ckpt', 'convert', ...args];
  await save(given('lenet.ckpt'), lenet());
  await save(given('other.ckpt'), new Map([['lstm.weight', { shape: [1, 1], data: new Float32Array(1) }]]));
  for (const [what, args, message] of [
    [
      'an extension',
      convert(given('lenet.ckpt'), join(root, 'a.h5')),
      /a\.h5: its extension says .* \.ckpt, \.safetensors, \.caffemodel, \.mtsp, \.json, \.onnx/,
    ],
    [
      'no known network',
      convert(given('other.ckpt'), join(root, 'a.onnx')),
      /other\.ckpt: .* none of lenet5, lenet300-100, .* --network/,
    ],
    [
      'another network',
      convert(given('lenet.ckpt'), join(root, 'a.onnx'), '--network', 'lenet5-caffe'),
      /"conv1\.weight" has the shape \[6, 1, 5, 5\], and this network wants \[20, 1, 5, 5\].*; these parameters fit --network lenet5$/m,
    ],
    [
      'another size',
      convert(given('lenet.ckpt'), join(root, 'a.json'), '--network', 'lenet5', '--image_height', '64'),
      /"fc1\.weight" has the shape .*; these parameters fit --network lenet5 --image_height 32 --image_width 32$/m,
    ],
  ] as const) {
    await refuses(t, what, { args, message, root });
  }
});

test('training starts from a model of Caffe for other classes, its last layer afresh; what is left out is said', async (t) => {
  const { root, given, train } = await place(t);
  const options = { cache: join(root, 'cache') };
  await save(given('lenet.caffemodel'), lenet());
  const trained = await run(
    train('--ckpt_url', given('lenet.caffemodel'), '--num_classes', '12', '--ckpt_skip', 'fc3'),
    options,
  );
  t.equal(trained.code, 0, trained.stderr);
  t.match(trained.stdout, /starting from .*lenet\.caffemodel; fc3 afresh$/m);
  t.match(trained.stdout, /next .* --num_classes 12 --result_url result/);
  const converted = await run(
    ['ckpt', 'convert', join(root, 'out', 'checkpoint_lenet-1_1.ckpt'), join(root, 'a.json')],
    options,
  );
  t.equal(converted.code, 0, converted.stderr);
  t.match(converted.stdout, /wrote .*a\.json: lenet for 32×32×1 images of 12 classes/);
  t.match(
    converted.stderr,
    /holds parameters alone; \d+ other entries are left out: "epoch_num", "step_num", "moments\.conv1\.weight", …$/m,
  );
  t.equal(converted.stderr.trim().split('\n').length, 1, 'one line');
});

test('a file of another format than its name says is read, with one warning', async (t) => {
  const { root, given } = await place(t);
  await save(given('lenet.caffemodel'), lenet());
  const { code, stderr } = await run(['ckpt', 'inspect', given('lenet.caffemodel')], { cache: join(root, 'cache') });
  t.equal(code, 0, stderr);
  t.equal(stderr, '');
  const renamed = given('lenet.ckpt');
  writeFileSync(renamed, net({ name: 'ip1', type: 'InnerProduct', blobs: [blob([1, 1], 1)] }));
  const inspected = await run(['ckpt', 'inspect', renamed], { cache: join(root, 'cache') });
  t.equal(inspected.code, 0, inspected.stderr);
  t.match(inspected.stderr, /lenet\.ckpt: is a Caffe model, whatever its name says, and read as one/);
  t.match(inspected.stdout, /ip1\.weight/);
});
