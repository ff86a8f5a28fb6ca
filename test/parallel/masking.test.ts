/** Several processes that prune one network. */
import { test } from 'tap';
import { relativeDifference } from '../engine/closeness.js';
import { startRanks } from './ranks.js';

interface Said {
  readonly losses: readonly number[];
  readonly exchanged: boolean;
  readonly kept: number;
  readonly mask: string;
  readonly parameters: string;
}

async function prune(ranks: number, maskedStay: boolean): Promise<readonly Said[]> {
  const options = JSON.stringify({ maskedStay });
  const started = startRanks(
    'mask-child.js',
    Array.from({ length: ranks }, () => [options]),
  );
  const ended = await Promise.all(started.map((rank) => rank.ended));
  return ended.map(({ lines }) => JSON.parse(lines[0]));
}

for (const maskedStay of [true, false]) {
  test(`ranks make the same mask and parameters, ${maskedStay ? 'masked weights staying' : 'all weights learning'}`, async (t) => {
    const [[alone], [first, second, third]] = await Promise.all([prune(1, maskedStay), prune(3, maskedStay)]);
    t.same(first, second, 'to the last bit');
    t.same(first, third);
    t.equal(first.losses.length, 20);
    t.same([alone.exchanged, first.exchanged], [false, true]);
    t.ok(relativeDifference(first.losses, alone.losses) < 1e-3, 'and learn as one rank does');
    t.ok(first.kept > 1000 && first.kept < 20_000, `${first.kept} of 61706 kept`);
  });
}
