/** What a rank asks of the others before they have answered the last. */
import { test } from 'tap';
import { startRanks } from './ranks.js';

test('what is asked for at once is done in the order in which it was asked for', async (t) => {
  for (const rank of startRanks('turns-child.js', [['all'], ['all'], ['all']])) {
    const { code, lines, stderr } = await rank.ended;
    t.equal(code, 0, stderr);
    t.same(JSON.parse(lines[0]), ['a', ['b', 'b', 'b'], [0, 1, 2], [7], 'c']);
  }
});

test('a rank may leave while it waits for the others', async (t) => {
  const [zero, one] = startRanks('turns-child.js', [['leave'], ['leave']]);
  t.match(await one.ended, { code: 0, stderr: '' });
  t.match(await zero.ended, { code: 0, lines: ['E_RANK_LOST'], stderr: '' });
});
