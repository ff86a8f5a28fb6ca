/** The four roles on networks with convolutions. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { ROLES } from '../../sdk/pruning/farm/roles.js';
import { type Cluster, flagsOf, play, prepareRoot, pruneAlone, requireSame } from './prune-cluster.js';

const HOW = {
  iterations: 12,
  prune_stop: 10,
  search_every: 5,
  search_budget: 12,
  search_images: 50,
  learning_rate: 0.01,
  retrain_learning_rate: 0.01,
  delta: 0.3,
  target_ratio: 3,
  // Of lenet5-caffe by saliency, which snapshots then hold.
  shares: 'searched',
};
/** What came back before the second round is in its snapshot. */
const OWN = { 'lenet5-caffe': { regrow: 0.3 }, lenet5: {} };

for (const network of ['lenet5-caffe', 'lenet5'] as const) {
  test(`four roles prune ${network} to the bits of one machine`, async (t) => {
    const root = t.testdir();
    await prepareRoot(root, network);
    const how = flagsOf({ ...HOW, ...OWN[network] });
    const here: Cluster = { root, network, workUrl: join(root, 'work'), trainUrl: join(root, 'out'), how };
    const alone = { ...here, trainUrl: join(root, 'alone') };
    const { code, stderr } = await pruneAlone(alone);
    t.equal(code, 0, stderr);
    const journal = readFileSync(join(alone.trainUrl, 'journal.jsonl'), 'utf8');
    t.match(journal, /^{"round":1/m, 'there was something to search, twice');
    await play(t, here, { cast: [...ROLES, 'evaluator'] });
    requireSame(t, here.trainUrl, alone.trainUrl);
  });
}
