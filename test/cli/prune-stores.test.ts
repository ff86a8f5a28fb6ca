/** The four roles with their work folder on each store that there is a server of, and on one that fails for a while. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import tap, { test } from 'tap';
import { ROLES } from '../../sdk/pruning/farm/roles.js';
import { obsPlace } from '../services/bucket-places.js';
import { STORES } from '../services/places.js';
import { noSwift } from '../services/swift.js';
import { swiftPlace } from '../services/swift-place.js';
import { type Cluster, flagsOf, play, prepareRoot, pruneAlone, requireSame, startRole } from './prune-cluster.js';

// They wait for one another most of the time.
tap.jobs = 4;
const root = tap.testdir();
const how = flagsOf({
  iterations: 20,
  search_every: 10,
  search_budget: 10,
  search_images: 50,
  learning_rate: 0.01,
  retrain_learning_rate: 0.01,
  delta: 0.2,
  target_ratio: 3,
});
const alone = join(root, 'out-alone');

tap.before(async () => {
  await prepareRoot(root);
  tap.equal((await pruneAlone({ root, trainUrl: alone, how })).code, 0);
  tap.match(readFileSync(join(alone, 'journal.jsonl'), 'utf8'), /^{"round":0/, 'there was something to search');
});

for (const [name, start] of Object.entries({ ...STORES, S3: swiftPlace })) {
  const skip = name === 'S3' && noSwift;
  test(`the work folder may lie on ${name}: the same bits`, { skip }, async (t) => {
    const place = await start(t);
    const here: Cluster = {
      root,
      workUrl: place.url('work'),
      trainUrl: join(root, `out-${name}`),
      how,
      env: place.env,
    };
    await play(t, here, { cast: ROLES });
    requireSame(t, here.trainUrl, alone);
  });
}

test('all roles wait for a store that fails for longer than a call is tried again, say so, and go on to the same bits', async (t) => {
  const place = await obsPlace(t);
  // Eight tries of a call are soon over.
  const env = { ...place.env, MINDTS_RETRY_WAIT_MS: '1' };
  const here: Cluster = { root, workUrl: place.url('work'), trainUrl: join(root, 'out-failing'), how, env };
  const roles = ROLES.map((role) => startRole(t, here, role));
  await roles[ROLES.indexOf('search')].seen(/^round 0, generation 0: /m);
  if (place.proxy === undefined) throw new Error('there is no proxy before this place');
  const { plan } = place.proxy;
  place.proxy.plan = () => ({ kind: 'answer', status: 503 });
  await Promise.all(roles.map((role) => role.seen(/HTTP 503\); waiting for the store, 600 s at most/)));
  place.proxy.plan = plan;
  for (const [i, role] of ROLES.entries()) {
    const { code, stderr } = await roles[i].ended;
    t.equal(code, 0, stderr);
    t.match(
      stderr,
      /obs:\/\/\S+\/work\/default answers again after .* s: going on/,
      `the ${role} says that it goes on`,
    );
  }
  requireSame(t, here.trainUrl, alone);
});
