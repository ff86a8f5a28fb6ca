/** Whose partial files an upload to this machine goes on with, and whose it does not. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, renameSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { partialName } from '../../sdk/base/files.js';
import { processMark } from '../../sdk/base/process-mark.js';
import { localUpload } from '../../sdk/storage/local-upload.js';

const [partSize, size] = [1000, 3500];
const source = 'https://li:geheim@host/a?Signature=verschwiegen 3500 0';
const plan = { size, partSize, modified: 1_700_000_000_000, source };
const PART = Buffer.alloc(partSize, 'p');

/** Leaves a partial file with one part, and returns its path. */
async function left(folder: string): Promise<string> {
  const upload = await localUpload(join(folder, 'a'), plan);
  await upload.put(1, PART);
  await upload.leave();
  return join(folder, readdirSync(folder)[0]);
}

async function presentParts(folder: string): Promise<readonly number[]> {
  const upload = await localUpload(join(folder, 'a'), plan);
  const present = [...upload.present];
  await upload.leave();
  return present;
}

/** Says that a process of another machine owns it. */
function giveAway(partial: string): void {
  const mark = processMark().replace(/[^ ]+$/, 'elsewhere');
  const bytes = readFileSync(partial);
  const note = JSON.parse(bytes.toString('utf8', size, size + 4096));
  bytes.write(JSON.stringify({ ...note, owner: mark }).padEnd(4096), size);
  writeFileSync(partial, bytes);
}

test('what is not a file of ours is left alone, whatever it is called', async (t) => {
  const folder = t.testdir({ crafted: {}, new: {} });
  // A file that would be gone on with, were it not behind a link: it would be somebody else's to change.
  const crafted = await left(join(folder, 'crafted'));
  symlinkSync(crafted, partialName(join(folder, 'new/a')));
  execFileSync('mkfifo', [partialName(join(folder, 'new/a'))]);
  writeFileSync(partialName(join(folder, 'new/a')), 'x'.repeat(size + 5000));
  t.same(await presentParts(join(folder, 'new')), []);
  t.equal(readdirSync(join(folder, 'new')).length, 3);
  t.ok(existsSync(crafted));
});

test('of several who find the same leftover at once, one goes on with it', async (t) => {
  const folder = t.testdir();
  for (let round = 0; round < 20; round++) {
    const partial = await left(folder);
    const uploads = await Promise.all(Array.from({ length: 8 }, () => localUpload(join(folder, 'a'), plan)));
    const claimed = uploads.filter(({ present }) => present.size > 0);
    t.ok(claimed.length <= 1, `${claimed.length} of 8`);
    t.notOk(existsSync(partial));
    for (const upload of uploads) {
      for (const part of [0, 1, 2, 3])
        await upload.put(part, PART.subarray(0, Math.min(partSize, size - part * partSize)));
    }
    await Promise.all(uploads.map((upload) => upload.finish()));
    t.same(readdirSync(folder), ['a']);
    t.equal(readFileSync(join(folder, 'a'), 'latin1'), 'p'.repeat(size));
  }
});

test('what another machine writes right now is left alone, and taken when it has been still', async (t) => {
  const folder = t.testdir();
  const partial = await left(folder);
  giveAway(partial);
  t.same(await presentParts(folder), []);
  t.ok(existsSync(partial));
  const before = Date.now() / 1000 - 3600;
  utimesSync(partial, before, before);
  t.same(await presentParts(folder), [1]);
});

test('no password of a source lies about', async (t: Test) => {
  const folder = t.testdir();
  const partial = await left(folder);
  const bytes = readFileSync(partial, 'latin1');
  t.match(bytes, '"source"');
  t.notMatch(bytes, /geheim|verschwiegen/);
  renameSync(partial, partialName(join(folder, 'a')));
  t.same(await presentParts(folder), [1], 'it is found again all the same');
});
