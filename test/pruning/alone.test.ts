/** A run on one machine, from what lies in its folder. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { nativeEngine } from '../../sdk/engine/native/native.js';
import { alone } from '../../sdk/pruning/alone.js';
import { openJournal } from '../../sdk/pruning/journal.js';
import { type Pruned, prune } from '../../sdk/pruning/prune.js';
import { noSmallDisk, smallDisk } from '../storage/small-disk.js';
import { quickSettings, trained } from './trained.js';

/** Prunes in a folder; the first generation that is noted ends it where it is told to. */
async function pruneIn(
  folder: string,
  { resume = false, identity = 'this', dies = false }: { resume?: boolean; identity?: string; dies?: boolean } = {},
): Promise<Pruned> {
  const surroundings = await alone({ folder, resume });
  const settings = await quickSettings({ delta: 0.5 });
  try {
    const options = { ...(await trained()), engine: nativeEngine({ threads: 1 }), settings };
    return await prune(options, {
      identity,
      surroundings: {
        ...surroundings,
        search: (problem, trainer, note) =>
          surroundings.search(problem, trainer, (text, left) => {
            if (dies) throw new Error('killed');
            note(text, left);
          }),
      },
    });
  } finally {
    await surroundings.close();
  }
}

test('what a journal holds before the first round has ended is taken by the same run alone', async (t) => {
  const [killed, whole] = [t.testdir({ killed: {}, whole: {} })].flatMap((root) => [
    join(root, 'killed'),
    join(root, 'whole'),
  ]);
  await t.rejects(pruneIn(killed, { dies: true }), { message: 'killed' });
  t.equal(readFileSync(join(killed, 'journal.jsonl'), 'utf8').split('\n').length, 2, 'one line');
  await t.rejects(pruneIn(killed, { resume: true, identity: 'other' }), {
    code: 'E_RUN',
    message: /state\.safetensors: is of another run, with this where this one has other/,
  });
  const [resumed, plain] = [await pruneIn(killed, { resume: true }), await pruneIn(whole)];
  t.ok(plain.rounds.found > 0);
  t.same({ ...resumed, seconds: 0 }, { ...plain, seconds: 0 });
  const [a, b] = [killed, whole].map((folder) => readFileSync(join(folder, 'journal.jsonl')));
  t.ok(a.equals(b));
});

test('a journal that cannot be written ends the run, naming it', { skip: noSmallDisk }, async (t) => {
  const path = join(smallDisk(t, 1 << 16), 'journal.jsonl');
  const journal = await openJournal(path);
  t.teardown(() => journal.close());
  const generation = { round: 0, generation: 0, rates: [new Array(50_000).fill(1)], scores: [] };
  await t.rejects(journal.add(generation), {
    code: 'E_WRITE',
    message: `cannot write ${path}: no space left on the device`,
  });
});
