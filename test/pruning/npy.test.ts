import * as fc from 'fast-check';
import { test } from 'tap';
import { PruningError } from '../../sdk/base/errors.js';
import { decodeAnswer, decodeNpy, encodeAnswer, encodeNpy } from '../../sdk/pruning/compat/npy.js';
import { parseCount, parseStart, parseTurn, startText } from '../../sdk/pruning/compat/texts.js';

/** [0.001, 2.5, 9.9999] with its fitness 0.25, a numpy.float64, as numpy pickles an array of the two. */
const PICKLES = {
  'numpy 1.16 of Python 2.7':
    'gAJjbnVtcHkuY29yZS5tdWx0aWFycmF5Cl9yZWNvbnN0cnVjdApxAWNudW1weQpuZGFycmF5CnECSwCFVQFih1JxAyhLAUsChWNudW1weQpkdHlwZQpxBFUCTzhLAEsBh1JxBShLA1UBfE5OTkr/////Sv////9LP3RiiV1xBihoAWgCSwCFVQFih1JxByhLAUsDhWgEVQJmOEsASwGHUnEIKEsDVQE8Tk5OSv////9K/////0sAdGKJVRj8qfHSTWJQPwAAAAAAAARAcoqO5PL/I0B0YmNudW1weS5jb3JlLm11bHRpYXJyYXkKc2NhbGFyCnEJaAhVCAAAAAAAANA/hlJxCmV0Yi4=',
  'numpy 1.18 of Python 3.8':
    'gANjbnVtcHkuY29yZS5tdWx0aWFycmF5Cl9yZWNvbnN0cnVjdApxAGNudW1weQpuZGFycmF5CnEBSwCFcQJDAWJxA4dxBFJxBShLAUsChXEGY251bXB5CmR0eXBlCnEHWAIAAABPOHEISwBLAYdxCVJxCihLA1gBAAAAfHELTk5OSv////9K/////0s/dHEMYoldcQ0oaABoAUsAhXEOaAOHcQ9ScRAoSwFLA4VxEWgHWAIAAABmOHESSwBLAYdxE1JxFChLA1gBAAAAPHEVTk5OSv////9K/////0sAdHEWYolDGPyp8dJNYlA/AAAAAAAABEByio7k8v8jQHEXdHEYYmNudW1weS5jb3JlLm11bHRpYXJyYXkKc2NhbGFyCnEZaBRDCAAAAAAAANA/cRqGcRtScRxldHEdYi4=',
  'numpy 2.4 of Python 3.11':
    'gASVAgEAAAAAAACMFm51bXB5Ll9jb3JlLm11bHRpYXJyYXmUjAxfcmVjb25zdHJ1Y3SUk5SMBW51bXB5lIwHbmRhcnJheZSTlEsAhZRDAWKUh5RSlChLAUsChZRoA4wFZHR5cGWUk5SMAk84lImIh5RSlChLA4wBfJROTk5K/////0r/////Sz90lGKJXZQoaAJoBUsAhZRoB4eUUpQoSwFLA4WUaAyMAmY4lImIh5RSlChLA4wBPJROTk5K/////0r/////SwB0lGKJQxj8qfHSTWJQPwAAAAAAAARAcoqO5PL/I0CUdJRiaACMBnNjYWxhcpSTlGgZQwgAAAAAAADQP5SGlFKUZXSUYi4=',
} as const;

/** A `.npy` with this header and these elements. */
function file(header: string, data: Uint8Array): Buffer {
  const head = Buffer.from([0x93, ...Buffer.from('NUMPY'), 1, 0, header.length & 0xff, header.length >> 8]);
  return Buffer.concat([head, Buffer.from(header), data]);
}

const OBJECTS = "{'descr': '|O', 'fortran_order': False, 'shape': (2,), }\n";
const pickled = (pickle: string): Buffer => file(OBJECTS, Buffer.from(pickle, 'latin1'));

test('an answer that numpy has written is read, of every age', async (t) => {
  for (const [age, pickle] of Object.entries(PICKLES)) {
    const answer = decodeAnswer(file(OBJECTS, Buffer.from(pickle, 'base64')), age);
    t.same(answer, { vector: [0.001, 2.5, 9.9999], fitness: 0.25 }, age);
  }
});

test('vectors, numbers and answers come back as they were, to the bit', async (t) => {
  const double = fc.double({ noNaN: true });
  await fc.assert(
    fc.asyncProperty(fc.array(double, { maxLength: 300 }), double, async (vector, fitness) => {
      t.strictSame(decodeNpy(encodeNpy(Float64Array.from(vector), [vector.length]), 'a'), vector);
      t.strictSame(decodeAnswer(encodeAnswer({ vector, fitness }), 'a'), { vector, fitness });
    }),
    { numRuns: 50 },
  );
  t.same(decodeNpy(encodeNpy(Float32Array.of(0.5), []), 'a'), [0.5]);
  t.equal(encodeNpy(Float32Array.of(0.5), []).length % 64, 4, 'the elements begin at a multiple of 64 bytes');
});

test('what numpy may write otherwise is read too', async (t) => {
  const big = Buffer.alloc(8);
  big.writeDoubleBE(2.5);
  t.same(decodeNpy(file("{'descr': '>f8', 'fortran_order': False, 'shape': (1L,), }\n", big), 'a'), [2.5]);
  const second = Buffer.concat([Buffer.from('\x93NUMPY\x02\x00', 'latin1'), Buffer.from([70, 0, 0, 0])]);
  const header = "{'descr': '<f4', 'fortran_order': True, 'shape': (1,), }".padEnd(69).concat('\n');
  const float = Buffer.alloc(4);
  float.writeFloatLE(0.5);
  t.same(decodeNpy(Buffer.concat([second, Buffer.from(header), float]), 'a'), [0.5]);
});

test('a file that ends anywhere before its end is one that may still grow', async (t) => {
  const cut = (bytes: Uint8Array, read: (bytes: Uint8Array, source: string) => unknown): void => {
    for (let length = 0; length < bytes.length; length++) {
      t.throws(() => read(bytes.subarray(0, length), 'half.npy'), { code: 'E_NPY_TRUNCATED', message: 'half.npy' });
    }
  };
  cut(encodeNpy(Float64Array.of(1, 2), [2]), decodeNpy);
  cut(encodeAnswer({ vector: [1, 2], fitness: 0.5 }), decodeAnswer);
  cut(file(OBJECTS, Buffer.from(PICKLES['numpy 2.4 of Python 3.11'], 'base64')), decodeAnswer);
});

test('other files are refused, and no header makes anyone reserve memory', async (t) => {
  const none = Buffer.alloc(0);
  for (const [bytes, code] of [
    [Buffer.from('PK\x03\x04 is a zip'), 'E_NPY_FORMAT'],
    [file("{'descr': '<f8', 'fortran_order': False, 'shape': (999999999,), }\n", Buffer.alloc(64)), 'E_NPY_TRUNCATED'],
    [file("{'descr': '<f8', 'fortran_order': False, 'shape': (1,), }\n", Buffer.alloc(9)), 'E_NPY_FORMAT'],
    [file("{'descr': '<i8', 'fortran_order': False, 'shape': (0,), }\n", none), 'E_NPY_FORMAT'],
    [file("{'descr': '<f8', 'fortran_order': True, 'shape': (0, 0), }\n", none), 'E_NPY_FORMAT'],
    [file("__import__('os').system('true') or {'descr': '<f8'}\n", none), 'E_NPY_FORMAT'],
    [Buffer.from('\x93NUMPY\x02\x00\xff\xff\xff\xff{', 'latin1'), 'E_NPY_FORMAT'],
    [file(OBJECTS, none), 'E_NPY_FORMAT'],
  ] as const) {
    const named = JSON.stringify(bytes.subarray(0, 60).toString('latin1'));
    t.throws(() => decodeNpy(bytes, 'a.npy'), { code, message: 'a.npy' }, named);
  }
  t.throws(() => decodeAnswer(encodeNpy(Float64Array.of(1, 2), [2]), 'a.npy'), { code: 'E_NPY_FORMAT' });
});

test('a pickle that would do anything else than make an array is refused, saying what it asks for', async (t) => {
  for (const [pickle, said] of [
    ['\x80\x02cos\nsystem\nU\x04true\x85R.', '"os.system"'],
    ['\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x04true\x85R.', '"posix.system"'],
    ['\x80\x02cnumpy\nload\nU\x01a\x85R.', '"numpy.load"'],
    ['\x80\x02cbuiltins\neval\n.', '"builtins.eval"'],
    ['(S"true"\nios\nsystem\n.', 'opcode 0x53'],
    ['(ios\nsystem\n.', 'opcode 0x69'],
    ['\x80\x02ccopyreg\n_reconstructor\n.', '"copyreg._reconstructor"'],
    ['\x80\x02\x82\x01.', 'opcode 0x82'],
    ['\x80\x02cnumpy\ndtype\nU\x02S8K\x00K\x01\x87R.', 'another way'],
    ['\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aU\x03hex\x86R.', 'another way'],
    ['\x80\x02K\x01K\x02.', 'not one value'],
    ['\x80\x02R.', 'more than there is'],
    ['\x80\x02h\x07.', 'has not seen'],
    ['\x80\x02t.', 'has not begun'],
    ['\x80\x02K\x01K\x02a.', 'no list'],
  ] as const) {
    t.throws(
      () => decodeAnswer(pickled(pickle), 'fit_solution_1.npy'),
      { code: 'E_PICKLE_REFUSED', message: new RegExp(`^fit_solution_1\\.npy: .*${said}`) },
      said,
    );
  }
  t.throws(() => decodeAnswer(pickled('\x80\x02K\x01.'), 'a.npy'), { code: 'E_NPY_FORMAT' }, 'a number alone');
});

test('no header and no pickle keeps who reads it busy', async (t) => {
  const digits = `{'descr': '<f8', 'fortran_order': False, 'shape': (${'1'.repeat(4000)}`;
  t.throws(() => decodeNpy(file(digits, Buffer.alloc(0)), 'a.npy'), { code: 'E_NPY_FORMAT' });
  const appending = pickled(`\x80\x02]${'Na'.repeat(1_000_000)}.`);
  t.throws(() => decodeAnswer(appending, 'a.npy'), { code: 'E_NPY_FORMAT', message: 'an answer of' });
});

test('whatever is damaged in an answer, it is read or refused', async (t) => {
  const whole = file(OBJECTS, Buffer.from(PICKLES['numpy 1.16 of Python 2.7'], 'base64'));
  let refused = 0;
  const at = fc.nat(whole.length - 1);
  fc.assert(
    fc.property(fc.array(fc.tuple(at, fc.nat(255)), { minLength: 1, maxLength: 4 }), (damages) => {
      const bytes = Buffer.from(whole);
      for (const [place, byte] of damages) bytes[place] = byte;
      try {
        decodeAnswer(bytes, 'a');
      } catch (error) {
        if (!(error instanceof PruningError)) throw error;
        refused++;
      }
    }),
    { numRuns: 3000, seed: 1 },
  );
  t.ok(refused > 1000);
});

test('texts are read as Python writes them, and nothing else is', async (t) => {
  const bytes = (text: string): Buffer => Buffer.from(text);
  const start = { rates: [0.001, 1e-7, 3], layers: ['ip1', 'conv2', 'fc/3'] };
  t.same(parseStart(bytes(startText(start)), 'a'), start);
  t.same(parseStart(bytes("[[1e-05, 2.],[u'ip1','ip2']]\n"), 'a'), { rates: [1e-5, 2], layers: ['ip1', 'ip2'] });
  t.same(parseStart(bytes("[[np.float64(0.001)], ['ip1']]"), 'a'), { rates: [0.001], layers: ['ip1'] });
  t.equal(parseStart(bytes('exit'), 'a'), 'exit');
  t.equal(parseTurn(bytes('over'), 'a'), 'over');
  t.equal(parseTurn(bytes('1001\n'), 'a'), 1001);
  for (const text of ['', '[[0.1', "[[0.1],['ip1','ip2']]", '[[],[]]', "[[nan],['ip1']]", "[[0.1 0.2],['a','b']]"]) {
    t.throws(() => parseStart(bytes(text), 'ncs_start.txt'), { code: 'E_SEED_TEXT', message: 'ncs_start.txt' }, text);
  }
  for (const text of ['', '0', '-1', '1e3', '10001 1', '9'.repeat(12), 'over']) {
    t.throws(() => parseCount(bytes(text), 'report.txt'), { code: 'E_SEED_TEXT', message: 'report.txt' }, text);
  }
});
