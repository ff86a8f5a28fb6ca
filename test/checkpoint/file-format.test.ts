import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { encodeCaffemodel } from '../../sdk/checkpoint/caffemodel-writer.js';
import { formatOf, readTensorFile, writeTensorFile } from '../../sdk/checkpoint/file-format.js';
import { encodeMindSpore } from '../../sdk/checkpoint/mindspore.js';
import { numberField, textField } from '../../sdk/checkpoint/protobuf.js';
import { encodeSafetensors } from '../../sdk/checkpoint/safetensors.js';
import { encodeSparse } from '../../sdk/checkpoint/sparse.js';
import { craftZip } from '../archive/craft.js';
import { v1Field } from './caffe.js';
import { codeOf, floats, plain, tensorFile } from './files.js';

const file = tensorFile({ 'fc.weight': floats([2, 1], 1, 2), 'fc.bias': floats([2], 3, 4) });
const written = {
  mindspore: encodeMindSpore(file),
  safetensors: encodeSafetensors(file),
  caffemodel: encodeCaffemodel(
    new Map([
      ['fc.weight', floats([2, 1], 1, 2)],
      ['fc.bias', floats([2], 3, 4)],
    ]),
  ),
  sparse: encodeSparse(file),
};

test('the bytes say which format a file has, whatever its name', async (t) => {
  for (const [format, bytes] of Object.entries(written)) {
    for (const name of ['a', 'a.ckpt', 'a.safetensors', 'a.caffemodel', 'a.json']) {
      t.equal(formatOf(name, bytes), format, `${format} called ${name}`);
    }
  }
  // As MindSpore writes it, without our checksum before it: protobuf, as Caffe's models are.
  t.equal(formatOf('a', written.mindspore.subarray(6)), 'mindspore');
  t.equal(formatOf('a', Buffer.from('{"weightsManifest":[]}')), 'tfjs');
  t.equal(formatOf('a', Buffer.concat([...textField(1, 'n'.repeat(300)), ...v1Field('ip1', 14, [])])), 'caffemodel');
  t.equal(formatOf('a', Buffer.concat([...v1Field('ip1', 14, [])])), 'caffemodel', 'a model without a name');
  t.equal(formatOf('a.caffemodel', Buffer.concat([...numberField(7, 1)])), 'caffemodel', 'by its name');
});

test('a file that is read in spite of its name is read with its content', async (t) => {
  const folder = t.testdir();
  for (const [format, bytes] of Object.entries(written)) {
    const path = join(folder, `${format}.json`);
    writeFileSync(path, bytes);
    t.same(plain(await readTensorFile(path)), plain(file), format);
  }
});

test('what people take for a parameter file is told by name, with what to do', async (t) => {
  const zip = (name: string): Buffer => craftZip([{ name, data: Buffer.from('x') }]);
  const pickle =
    /Python pickle, as PyTorch writes, which may run any code and is never opened; .*save_file\(model\.state_dict\(\)/;
  for (const [what, bytes, message] of [
    ['PyTorch', zip('archive/data.pkl'), pickle],
    ['PyTorch before 1.6', Buffer.from('80028a0a6cfc9c46f9206aa85019', 'hex'), pickle],
    ['a pickle', Buffer.from('80059500', 'hex'), pickle],
    ['a zip', zip('lenet.ckpt'), /is a zip; unpack it/],
    ['NumPy archive', zip('conv1.weight.npy'), /is a NumPy archive.*safetensors/],
    ['NumPy', Buffer.from('934e554d505901007600', 'hex'), /is a NumPy array.*safetensors/],
    ['Keras', zip('model.weights.h5'), /is a Keras model.*save it as \.h5.*tensorflowjs_converter/],
    [
      'Keras .h5',
      Buffer.from('894844460d0a1a0a00', 'hex'),
      /is an HDF5 file, as Keras writes.*tensorflowjs_converter.*model\.json/,
    ],
    ['gzip', Buffer.from('1f8b0800', 'hex'), /compressed with gzip; unpack it first/],
    ['ONNX', Buffer.concat([...numberField(1, 7), ...textField(2, 'mindts')]), /is an ONNX model.*does not read/],
    ['text', Buffer.from('hello, 世界'), /is a text, not a parameter file/],
    ['a text cut in a character', Buffer.from('世'.repeat(200)), /is a text/],
    ['a web page', Buffer.from('\n<!DOCTYPE html><title>404'), /is a web page: the download went wrong/],
    ['Git LFS', Buffer.from('version https://git-lfs.github.com/spec/v1\noid sha256:0\n'), /git lfs pull/],
  ] as const) {
    for (const name of ['a.ckpt', 'a.caffemodel', 'a.pth']) {
      t.throws(() => formatOf(name, bytes), { code: 'E_CKPT_FORMAT', message }, `${what} called ${name}`);
    }
  }
  t.throws(() => formatOf('a.bin', Uint8Array.of(1, 2, 3)), {
    message:
      'a.bin: is no parameter file that mindts reads (.ckpt, .safetensors, .caffemodel, .json, .mtsp), or it is damaged',
  });
});

test('a checkpoint is not written under a name that says nothing, or needs a network', async (t) => {
  for (const name of ['a.json', 'a.onnx', 'a.pth', 'a']) {
    await t.rejects(writeTensorFile(join(t.testdir(), name), file), {
      code: 'E_CKPT_EXTENSION',
      message: /must be called \.ckpt, \.safetensors, \.caffemodel, \.mtsp$/,
    });
  }
  t.equal(
    codeOf(() => formatOf('a.ckpt', new Uint8Array())),
    'none',
  );
});
