import { join, sep } from 'node:path';
import * as fc from 'fast-check';
import { test } from 'tap';
import { decodeName, nameFault, tidyName } from '../../sdk/archive/entry-name.js';
import { unicodePath } from './craft.js';

function decode(raw: Buffer, unicode?: Buffer): string {
  const extraFields = unicode === undefined ? [] : [{ id: 0x7075, data: unicode.subarray(4) }];
  return decodeName({ fileNameRaw: raw, extraFields });
}

test('names are read as UTF-8, as GB 18030, or as code page 437, whichever fits first', async (t) => {
  t.equal(decode(Buffer.from('手写数字/7.png')), '手写数字/7.png');
  t.equal(decode(Buffer.from('cad6d0b4cafdd7d6', 'hex')), '手写数字');
  t.equal(decode(Buffer.from([0x63, 0x61, 0x66, 0x82, 0x2e, 0x70])), 'café.p');
  t.equal(decode(Buffer.from([0xff])), '\u00a0');
  t.equal(decode(Buffer.from('\ufeffa')), '\ufeffa', 'no byte is dropped');
});

test('a Unicode path goes before the name that it belongs to, and only before that', async (t) => {
  const raw = Buffer.from('ca_.png');
  t.equal(decode(raw, unicodePath(raw, 'café.png')), 'café.png');
  t.equal(decode(raw, unicodePath(Buffer.from('other'), 'café.png')), 'ca_.png');
  t.equal(decode(raw, Buffer.alloc(8)), 'ca_.png');
});

test('every name of any script survives as UTF-8', async () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (name) => decode(Buffer.from(name)) === Buffer.from(name).toString()),
  );
});

test('any bytes are a name, and decoding never throws', async () => {
  fc.assert(fc.property(fc.uint8Array(), (raw) => typeof decode(Buffer.from(raw)) === 'string'));
});

test('names that lead out of the folder have a fault, each its own', async (t) => {
  const faults = {
    '../x': 'leads out of its folder',
    'a/../../x': 'leads out of its folder',
    'a/..': 'leads out of its folder',
    '/etc/passwd': 'is an absolute path',
    'C:/x': 'starts with a drive letter',
    'c:x': 'starts with a drive letter',
    'a\\..\\x': 'holds a backslash',
    'a\0.png': 'holds a NUL',
    '': 'is empty',
    '.': 'is empty',
  };
  for (const [name, fault] of Object.entries(faults)) t.equal(nameFault(name), fault, JSON.stringify(name));
  for (const name of ['a', 'a/b', '..a', 'a..', '...', './a', 'a//b', './', 'a/', '手/写'])
    t.equal(nameFault(name), undefined);
});

test('a name without a fault always stays below its folder, made tidy or not', async () => {
  const part = fc.constantFrom(
    '..',
    '.',
    '',
    'a',
    '...',
    '.. ',
    'C:',
    '~',
    '\\',
    '\0',
    '..\\',
    '%2e%2e',
    '．．',
    '\u2025',
  );
  const hostile = fc.oneof(
    fc.array(part).map((parts) => parts.join('/')),
    fc.string({ unit: 'binary' }),
  );
  fc.assert(
    fc.property(hostile, (name) => {
      if (nameFault(name) !== undefined) return true;
      const folder = `${sep}data${sep}set`;
      const path = join(folder, tidyName(name));
      return (path === folder || path.startsWith(folder + sep)) && path === join(folder, name).replace(/\/$/, '');
    }),
    { numRuns: 2000 },
  );
});
