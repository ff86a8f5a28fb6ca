/** Ranks that exit while they wait for others. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { freePlace } from './rank-orders.js';
import { startRank } from './ranks.js';

test('a rank that waits for others to come exits when it is told to', async (t) => {
  const path = join(t.testdir(), 'job');
  const { host, port } = await freePlace();
  for (const rendezvous of [path, `${host}:${port}`]) {
    for (const id of ['0', '1']) {
      const env = { RANK_ID: id, RANK_SIZE: '2', MINDTS_RENDEZVOUS: rendezvous };
      const rank = startRank('exit-child.js', [], { env });
      t.teardown(() => rank.kill('SIGKILL'));
      await rank.said(/joining/);
      rank.kill('SIGTERM');
      t.match(await rank.ended, { code: 143, lines: ['joining'] }, `rank ${id} at ${rendezvous}`);
    }
  }
  t.notOk(existsSync(path), 'nothing is left');
});

test('a rank that waits for what another gives exits when it is told to', async (t) => {
  const { host, port } = await freePlace();
  for (const rendezvous of [join(t.testdir(), 'job'), `${host}:${port}`]) {
    const [busy, waiting] = [0, 1].map((id) => {
      const env = { RANK_ID: `${id}`, RANK_SIZE: '2', MINDTS_RENDEZVOUS: rendezvous };
      const rank = startRank('exit-child.js', id === 0 ? ['busy'] : [], { env });
      t.teardown(() => rank.kill('SIGKILL'));
      return rank;
    });
    await Promise.all([busy.said(/joined/), waiting.said(/joined/)]);
    waiting.kill('SIGTERM');
    t.match(await waiting.ended, { code: 143, stderr: '' }, rendezvous);
    busy.kill('SIGTERM');
    t.match(await busy.ended, { code: 143 });
  }
});
