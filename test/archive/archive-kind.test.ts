import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import * as fc from 'fast-check';
import { test } from 'tap';
import { archiveKind } from '../../sdk/archive/archive-kind.js';
import { craftZip } from './craft.js';
import { craftTar } from './craft-tar.js';

test('an archive is known by its first bytes, whole or not', async (t) => {
  t.equal(archiveKind(craftZip([{ name: 'a' }]).subarray(0, 30)), 'zip');
  t.equal(archiveKind(craftZip([])), 'zip');
  t.equal(archiveKind(gzipSync('').subarray(0, 3)), 'gzip');
  t.equal(archiveKind(craftTar([{ name: 'a' }]).subarray(0, 512)), 'tar');
  t.equal(archiveKind(craftTar([{ name: 'a', checksum: 1 }])), 'tar', 'damaged, and yet marked');
});

test('every form of tar is known, the oldest by its checksum alone', async (t) => {
  const folder = t.testdir({ in: { a: 'x' } });
  for (const format of ['v7', 'oldgnu', 'gnu', 'ustar', 'posix']) {
    const archive = execFileSync('tar', ['-C', join(folder, 'in'), '-c', `--format=${format}`, '.']);
    t.equal(archiveKind(archive.subarray(0, 512)), 'tar', format);
    if (format === 'v7') t.equal(archiveKind(archive.subarray(0, 511)), undefined);
  }
});

test('nothing else is an archive: no text, no zeros, no JPEG, and hardly any other bytes', async (t) => {
  for (const bytes of ['', 'P', 'PK\x01\x02', 'ustar', 'x'.repeat(512), '\0'.repeat(10_240)]) {
    t.equal(archiveKind(Buffer.from(bytes)), undefined, JSON.stringify(bytes.slice(0, 9)));
  }
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 512, maxLength: 600 }), (bytes) => archiveKind(bytes) === undefined),
  );
});
