/** What is written as ONNX; that it runs is tested where onnxruntime is, in test/interop. */
import { test } from 'tap';
import { encodeOnnx } from '../../sdk/checkpoint/onnx.js';
import { dense, dropout, input } from '../../sdk/nn/layers.js';
import { network } from '../../sdk/nn/network.js';
import { codeOf, floats } from './files.js';
import { drawParameters, everyLayer } from './networks.js';

test('a network of one layer is this model, field by field', async (t) => {
  const net = network('n', dense(input([2]), { name: 'fc', outFeatures: 1 }));
  const parameters = new Map([
    ['fc.weight', floats([1, 2], 1, 2)],
    ['fc.bias', floats([1], 3)],
  ]);
  const text = (field: number, value: string): string => bytes(field * 8 + 2, Buffer.from(value).toString('hex'));
  const bytes = (tag: number, hex: string): string => `${byte(tag)}${byte(hex.length / 2)}${hex}`;
  const gemm = [
    text(1, 'input') + text(1, 'fc.weight') + text(1, 'fc.bias') + text(2, 'output'),
    text(3, 'output:Gemm') + text(4, 'Gemm'),
    bytes(0x2a, `${text(1, 'transB')}1801${'a00102'}`),
  ].join('');
  const float = (name: string, dims: string, hex: string): string =>
    bytes(0x2a, `${bytes(0x0a, dims)}1001${text(8, name)}${bytes(0x4a, hex)}`);
  const value = (name: string, size: number): string =>
    text(1, name) +
    bytes(0x12, bytes(0x0a, `0801${bytes(0x12, `${bytes(0x0a, text(2, 'N'))}${bytes(0x0a, `08${byte(size)}`)}`)}`));
  const graph = [
    bytes(0x0a, gemm),
    text(2, 'n'),
    float('fc.weight', '0102', '0000803f00000040'),
    float('fc.bias', '01', '00004040'),
    bytes(0x5a, value('input', 2)),
    bytes(0x62, value('output', 1)),
  ].join('');
  // The graph has more than 127 bytes, so that its length takes two.
  const length = graph.length / 2;
  const model = `0807${text(2, 'mindts')}3a${byte((length & 127) | 128)}${byte(length >> 7)}${graph}${bytes(0x42, '100d')}`;
  t.equal(Buffer.from(encodeOnnx(net, parameters)).toString('hex'), model);
});

test('the same network and parameters give the same bytes, whatever else is there', async (t) => {
  const net = everyLayer();
  const parameters = drawParameters(net, 1);
  const more = new Map([...[...parameters].toReversed(), ['relu2', floats([1], 1)]] as const);
  t.same(encodeOnnx(net, parameters), encodeOnnx(everyLayer(), more));
});

test('parameters that are not the network’s are refused', async (t) => {
  const net = everyLayer();
  const parameters = new Map(drawParameters(net, 1));
  parameters.set('fc2.weight', floats([1], 1));
  t.equal(
    codeOf(() => encodeOnnx(net, parameters)),
    'E_CKPT_SHAPE',
  );
  parameters.delete('fc2.weight');
  t.equal(
    codeOf(() => encodeOnnx(net, parameters)),
    'E_CKPT_MISSING',
  );
  t.equal(
    codeOf(() => encodeOnnx(net, new Map())),
    'E_CKPT_NETWORK',
  );
});

test('a network that computes nothing is a model that computes nothing', async (t) => {
  const named = (model: Uint8Array): number => Buffer.from(model).toString('latin1').split('Identity').length - 1;
  t.equal(named(encodeOnnx(network('n', input([2])), new Map())), 2, 'an Identity, named after what it is');
  t.equal(named(encodeOnnx(network('n', dropout(input([2]), { rate: 0.5 })), new Map())), 2);
});

function byte(value: number): string {
  return value.toString(16).padStart(2, '0');
}
