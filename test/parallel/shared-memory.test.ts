/** Ranks of one machine that exchange numbers through shared memory. */
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, mkdtempSync, rmdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { type RankProcess, startJob, startRank, tellAll } from './rank-orders.js';
import { hashOfSum, LENGTHS } from './sums.js';

/** Where the ranks of one job meet. */
function place(t: Test): { readonly kind: 'memory'; readonly path: string } {
  return { kind: 'memory', path: join(t.testdir(), 'job') };
}

async function died(rank: RankProcess): Promise<void> {
  const ended = once(rank.child, 'close');
  rank.kill('SIGKILL');
  await ended;
}

test('sums are the same bits on every rank, and those of adding rank by rank', async (t) => {
  for (const size of [2, 3, 5]) {
    const rendezvous = place(t);
    // Whoever comes first waits for rank 0.
    const ranks = await startJob(t, size, rendezvous);
    t.notOk(existsSync(rendezvous.path), 'nothing is left once all have come');
    for (const count of [...LENGTHS, 65_536, 65_537]) {
      t.same(
        await tellAll(ranks, { kind: 'sum', count }),
        Array(size).fill(hashOfSum(size, count)),
        `${count} numbers`,
      );
    }
  }
});

test('bytes are gathered and broadcast, however many', async (t) => {
  const ranks = await startJob(t, 3, place(t));
  for (const count of [0, 1, 300_000]) {
    const own = ranks.map((_, id) => Array.from({ length: count }, (__, i) => (i + id) & 255));
    const gathered = await Promise.all(ranks.map((rank, id) => rank.tell({ kind: 'gather', bytes: own[id] })));
    for (const { value } of gathered) t.strictSame(value, own, `${count} bytes of each`);
    const sent = await Promise.all(ranks.map((rank, id) => rank.tell({ kind: 'broadcast', bytes: own[id] })));
    for (const { value } of sent) t.strictSame(value, own[0], `${count} bytes of rank 0`);
  }
});

test('a rank that does not come is named, by those who wait for it', async (t) => {
  const rendezvous = place(t);
  const [zero, two] = [
    startRank(t, { id: 0, size: 3, rendezvous, seconds: 1 }),
    startRank(t, { id: 2, size: 3, rendezvous, seconds: 30 }),
  ];
  t.match(await zero.next(), { code: 'E_RANKS_JOIN', message: 'rank 1 did not come within 1 s' });
  t.match(await two.next(), {
    code: 'E_RANKS_JOIN',
    message: /^rank 0 (\(process \d+\) (died|has left the job)|did not come within 30 s)$/,
  });
  t.notOk(existsSync(rendezvous.path));
});

test('what a job that is dead has left, or a file of another kind, is passed over', async (t) => {
  const rendezvous = place(t);
  const dead = startRank(t, { id: 0, size: 2, rendezvous });
  const other = startRank(t, { id: 1, size: 3, rendezvous });
  t.match(await other.next(), { message: 'rank 0 is one of 2 ranks, rank 1 one of 3' });
  await died(dead);
  t.ok(existsSync(rendezvous.path), 'it was killed before it could remove its file');
  const ranks = await startJob(t, 2, rendezvous);
  t.same(await tellAll(ranks, { kind: 'sum', count: 5 }), Array(2).fill(hashOfSum(2, 5)));

  writeFileSync(rendezvous.path, 'x'.repeat(10_000));
  const late = startRank(t, { id: 1, size: 2, rendezvous, seconds: 1 });
  t.match(await late.next(), { message: 'rank 0 did not come within 1 s' });
});

test('two processes cannot be the same rank', async (t) => {
  const rendezvous = place(t);
  const zero = startRank(t, { id: 0, size: 3, rendezvous });
  const twins = [1, 1].map((id) => startRank(t, { id, size: 3, rendezvous }));
  const first = twins.map((rank) => rank.next());
  t.match(await Promise.race(first), { message: /^rank 1 is there already: process \d+$/ });
  const again = startRank(t, { id: 0, size: 3, rendezvous });
  t.match(await again.next(), { message: /^rank 0 is there already: process \d+$/ });
  const two = startRank(t, { id: 2, size: 3, rendezvous });
  t.match([await zero.next(), await two.next()], [{ pid: Number }, { pid: Number }]);
  t.equal((await Promise.all(first)).filter(({ pid }) => pid !== undefined).length, 1);
});

test('a rank that gives up, leaves or dies while others wait for it is named', async (t) => {
  const sum = { kind: 'sum', count: 9 };
  for (const [order, message] of [
    [{ kind: 'abandon', reason: 'the disk is full' }, /^rank 0 gave up: the disk is full$/],
    [{ kind: 'leave' }, /^rank 0 \(process \d+\) has left the job$/],
  ] as const) {
    const [zero, one] = await startJob(t, 2, place(t));
    await zero.tell(order);
    t.match(await one.tell(sum), { code: 'E_RANK_LOST', message });
  }
  const [zero, ...others] = await startJob(t, 3, place(t));
  const waiting = tellAll(others, sum);
  await died(zero);
  const message = /^rank 0 \(process \d+\) died$/;
  t.match(await waiting, [message, message]);
  t.match(await tellAll(others, sum), [message, message], 'then and ever after');
});

test('a rank that makes another call than the others is told so', async (t) => {
  const [zero, one] = await startJob(t, 2, place(t));
  const answers = await Promise.all([zero.tell({ kind: 'gather', bytes: [1] }), one.tell({ kind: 'sum', count: 1 })]);
  for (const { message } of answers) t.match(message, /makes another call than rank \d: all ranks must do the same/);
});

test('shared memory that is full is an error, not a crash', {
  skip: process.getuid?.() !== 0 && 'mounting needs root',
}, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'mindts-'));
  t.equal(spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=300k', 'tmpfs', folder]).status, 0);
  t.teardown(() => {
    spawnSync('umount', [folder]);
    rmdirSync(folder);
  });
  const zero = startRank(t, { id: 0, size: 2, rendezvous: { kind: 'memory', path: join(folder, 'job') } });
  t.match(await zero.next(), { message: /No space left on device \(1 MiB of shared memory are needed\)$/ });
});

test('a file of another user is not trusted', {
  skip: process.getuid?.() !== 0 && 'giving away needs root',
}, async (t) => {
  const rendezvous = place(t);
  writeFileSync(rendezvous.path, 'x'.repeat(10_000));
  chownSync(rendezvous.path, 1234, 1234);
  const one = startRank(t, { id: 1, size: 2, rendezvous });
  t.match(await one.next(), { message: /belongs to another user$/ });
});
