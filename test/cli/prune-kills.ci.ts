/** A whole run whose processes are killed fifty times, wherever they are. */
import { join } from 'node:path';
import { test } from 'tap';
import { seededRandom } from '../../sdk/base/random.js';
import { ROLES, type Role } from '../../sdk/pruning/farm/roles.js';
import { type Cluster, flagsOf, play, prepareRoot, pruneAlone, requireSame } from './prune-cluster.js';

const HOW = flagsOf({
  iterations: 240,
  prune_stop: 200,
  search_every: 20,
  search_budget: 200,
  search_images: 100,
  learning_rate: 0.01,
  retrain_learning_rate: 0.01,
  delta: 0.2,
  target_ratio: 8,
});

test('four roles on one machine, killed fifty times in a run, end with the bits of a serial run', async (t) => {
  const root = t.testdir();
  await prepareRoot(root);
  const here: Cluster = { root, workUrl: join(root, 'work'), trainUrl: join(root, 'out'), how: HOW };
  const alone = join(root, 'alone');
  t.equal((await pruneAlone({ ...here, trainUrl: alone })).code, 0);
  const random = seededRandom(1, 'kills');
  let wait = 1;
  const kill = (ended: number): Role | undefined => {
    if (ended >= 50 || --wait > 0) return undefined;
    wait = 1 + random.below(3);
    return ROLES[random.below(ROLES.length)];
  };
  const { killed } = await play(t, here, { kill });
  t.ok(killed.length >= 50, `${killed.length} were killed: ${killed.join(', ')}`);
  requireSame(t, here.trainUrl, alone);
});
