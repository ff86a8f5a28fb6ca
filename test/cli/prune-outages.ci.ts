/** The four roles on machines of a network, and a store that fails for longer than any call is tried again. */
import tap from 'tap';
import { CAST, makeStage, prepareStage, noStage as skip } from './prune-stage.js';

const root = tap.testdir();
const SEARCH = CAST.indexOf('search');

tap.before(() => prepareStage(tap, root));

tap.test('all roles wait for a store that is not there for a minute, say so, and go on', { skip }, async (t) => {
  const { begin, store, requireEnd } = await makeStage(t, root);
  const roles = CAST.map((_, i) => begin(i));
  await roles[SEARCH].seen(/^round 0, generation 1: /m);
  store.goAway();
  await Promise.all(roles.map((role) => role.seen(/the connection was refused .*; waiting for the store/)));
  await store.comeBack();
  for (const { stderr } of await requireEnd(roles)) t.match(stderr, /answers again after .*: going on/);
});

tap.test('all roles wait for a store that is cut off for minutes, say so, and go on', { skip }, async (t) => {
  const { begin, hosts, requireEnd } = await makeStage(t, root);
  const roles = CAST.map((_, i) => begin(i));
  await roles[SEARCH].seen(/^round 0, generation 1: /m);
  hosts.cut(0);
  await Promise.all(roles.map((role) => role.seen(/; waiting for the store/)));
  hosts.mend(0);
  for (const { stderr } of await requireEnd(roles)) t.match(stderr, /answers again after .*: going on/);
});
