/** What the reader of Caffe models may not do, whatever the bytes: crash, take memory that the file has not, or run on. */
import { test } from 'tap';
import { seededRandom } from '../../sdk/base/random.js';
import { decodeCaffemodel } from '../../sdk/checkpoint/caffemodel.js';
import { messageField, numberField, textField, varint } from '../../sdk/checkpoint/protobuf.js';
import { blob, doubleBlob, layerField, net, oldBlob, shapeField, v1Field } from './caffe.js';
import { codeOf } from './files.js';
import { mutated } from './mutate.js';

/** More with MINDTS_MUTATIONS=100000. */
const MUTATIONS = Number(process.env['MINDTS_MUTATIONS'] ?? 30_000);
const codeFor = (bytes: Uint8Array): string => codeOf(() => decodeCaffemodel(bytes, 'x'));

/** Small, with every kind of layer and of number. */
const sample = Buffer.concat([
  net(
    { name: 'data', type: 'Data', tops: ['data'] },
    {
      name: 'conv1',
      type: 'Convolution',
      bottoms: ['data'],
      tops: ['conv1'],
      blobs: [blob([2, 1, 1, 2], 1, 2, 3, 4), blob([2], 5, 6)],
    },
    {
      name: 'bn1',
      type: 'BatchNorm',
      bottoms: ['conv1'],
      tops: ['conv1'],
      blobs: [blob([2], 1, 2), blob([2], 3, 4), blob([1], 2)],
    },
    { name: 's1', type: 'Scale', bottoms: ['conv1'], tops: ['conv1'], blobs: [blob([2], 1, 2), blob([2], 3, 4)] },
    {
      name: 'ip1',
      type: 'InnerProduct',
      blobs: [doubleBlob([1, 3], 1, 2, 3)],
      more: messageField(117, numberField(6, 1)),
    },
  ),
  ...v1Field('ip2', 14, [oldBlob([1, 1, 1, 3], 5, 6, 7), oldBlob([1, 1, 1, 1], 8)]),
]);

test(`${MUTATIONS} damaged models are read or refused, never anything else`, async (t) => {
  t.equal(codeFor(sample), 'none', 'undamaged');
  const random = seededRandom(1, 'caffemodel');
  const codes = new Map<string, number>();
  for (let i = 0; i < MUTATIONS; i++) {
    const code = codeFor(mutated(sample, random.below));
    codes.set(code, (codes.get(code) ?? 0) + 1);
  }
  t.ok((codes.get('none') ?? 0) > MUTATIONS / 100, 'some are still models');
  t.ok(codes.size >= 5, `the damage is told apart: ${[...codes.keys()].join(' ')}`);
});

test('a model cut at any byte is refused, unless it is cut between two layers', async (t) => {
  let whole = 0;
  for (let length = 0; length < sample.length; length++) {
    const code = codeFor(sample.subarray(0, length));
    if (code === 'none') whole++;
    else if (code !== 'E_CKPT_TRUNCATED') t.fail(`cut to ${length} bytes: ${code}`);
  }
  t.equal(whole, 6, 'after the name and after each layer but the last');
});

test('lengths that are absurd are refused before any memory is taken', async (t) => {
  const huge = 2 ** 52;
  const head = (field: number, length: number): Uint8Array =>
    Uint8Array.from([...varint(field * 8 + 2), ...varint(length)]);
  const ten = Uint8Array.of(0xa2, 0x06, ...new Uint8Array(9).fill(0xff), 0x01);
  const eleven = Uint8Array.of(0xa2, 0x06, ...new Uint8Array(10).fill(0xff), 0x01);
  for (const [what, bytes, code] of [
    ['a layer', head(100, huge), 'E_CKPT_TRUNCATED'],
    ['a name', Buffer.concat([...messageField(100, [head(1, huge)])]), 'E_CKPT_TRUNCATED'],
    [
      'an array, in a layer that ends before',
      Buffer.concat([...messageField(100, [head(7, 99)]), ...textField(1, 'x')]),
      'E_CKPT_FORMAT',
    ],
    ['a length below 0', ten, 'E_CKPT_FORMAT'],
    ['a length of more than 10 bytes', eleven, 'E_CKPT_FORMAT'],
    ['a shape', net({ name: 'a', type: 'InnerProduct', blobs: [shapeField([huge, huge])] }), 'E_CKPT_FORMAT'],
    ['a shape of nothing', net({ name: 'a', type: 'InnerProduct', blobs: [shapeField([huge, 0])] }), 'none'],
    [
      'turned',
      net({
        name: 'a',
        type: 'InnerProduct',
        blobs: [shapeField([huge, 0])],
        more: messageField(117, numberField(6, 1)),
      }),
      'none',
    ],
    [
      'dimensions',
      net({ name: 'a', type: 'InnerProduct', blobs: [shapeField(Array<number>(100_000).fill(1))] }),
      'E_CKPT_FORMAT',
    ],
    [
      'arrays',
      net({ name: 'a', type: 'Convolution', blobs: Array.from({ length: 100_000 }, () => []) }),
      'E_CKPT_FORMAT',
    ],
    ['values', net({ name: 'a', type: 'Split', tops: Array<string>(100_000).fill('') }), 'E_CKPT_FORMAT'],
    ['a long name', net({ name: 'a'.repeat(100_000), type: 'Split' }), 'E_CKPT_FORMAT'],
    ['a group', Uint8Array.of(0xa3, 0x06), 'E_CKPT_FORMAT'],
  ] as const) {
    t.equal(codeFor(bytes), code, what);
  }
});

test('more layers than any network has are refused, and single numbers take no more than their bytes', async (t) => {
  const layers = Buffer.concat(Array<Uint8Array>(100_001).fill(Uint8Array.of(0xa2, 0x06, 0)));
  t.equal(codeFor(layers), 'E_CKPT_LIMIT');
  t.equal(codeFor(layers.subarray(3)), 'none');
  const numbers = Buffer.concat(Array<Uint8Array>(1_000_000).fill(Uint8Array.of(0x2d, 0, 0, 128, 63)));
  const before = process.memoryUsage().arrayBuffers;
  const bytes = Buffer.concat([
    ...layerField({ name: 'a', type: 'InnerProduct', blobs: [[numbers, ...shapeField([1000, 1000])]] }),
  ]);
  const weight = decodeCaffemodel(bytes, 'x').tensors.get('a.weight');
  t.equal(
    weight?.data.reduce((sum, value) => sum + value, 0),
    1_000_000,
  );
  t.ok(process.memoryUsage().arrayBuffers - before < 10 * bytes.length);
});
