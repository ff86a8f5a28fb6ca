/** Ranks of one machine that exchange numbers through shared memory. */
import { spawnSync } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, rmdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'tap';
import { type StartedRank, startRank } from './ranks.js';

function start(path: string, rank: number, size: number, ...rest: readonly (string | number)[]): StartedRank {
  return startRank('memory-child.js', [path, `${rank}`, `${size}`, ...rest.map(String)], { env: {} });
}

async function linesOf(ranks: readonly StartedRank[]): Promise<readonly (readonly string[])[]> {
  return (await Promise.all(ranks.map(({ ended }) => ended))).map(({ lines }) => lines);
}

test('sums are the same bits on every rank, and those of adding rank by rank', async (t) => {
  const sizes = [1, 16, 1000, 65_536, 65_537, 200_001];
  for (const size of [2, 3, 5]) {
    const path = join(t.testdir(), 'job');
    const calls = sizes.map((n) => `reduce:${n}`);
    // Whoever comes first waits for rank 0.
    const ranks = Array.from({ length: size }, (_, i) => start(path, size - 1 - i, size, 60, ...calls));
    const all = await linesOf(ranks);
    for (const lines of all) t.same(lines, all[0]);
    for (const [i, n] of sizes.entries()) {
      let sum = Math.fround(Math.sin(n - 1));
      for (let r = 1; r < size; r++) sum = Math.fround(sum + Math.fround(Math.sin(n - 1 + 1000 * r)));
      t.equal(Number(all[0][i + 1].split(' ')[1]), sum, `${n} numbers`);
    }
    t.notOk(existsSync(path), 'nothing is left');
  }
});

test('bytes are gathered and broadcast, however many', async (t) => {
  const path = join(t.testdir(), 'job');
  const calls = ['gather:1', 'broadcast:1', 'gather:300000', 'broadcast:600000', 'gather:0'];
  const all = await linesOf([0, 1, 2].map((rank) => start(path, rank, 3, 60, ...calls)));
  for (const lines of all)
    t.same(lines, ['joined', 'true,true,true', 'true', 'true,true,true', 'true', 'true,true,true']);
});

test('a rank that does not come is named, by those who wait for it', async (t) => {
  const path = join(t.testdir(), 'job');
  const [zero, two] = await linesOf([start(path, 0, 3, 1), start(path, 2, 3, 30)]);
  t.same(zero, ['E_RANKS_JOIN rank 1 did not come within 1 s']);
  t.match(two[0], /^E_RANKS_JOIN rank 0 \(process \d+\) (died|has left the job)$/);
  t.notOk(existsSync(path));
});

test('what a job that is dead has left, or a file of another kind, is passed over', async (t) => {
  const path = join(t.testdir(), 'job');
  const dead = start(path, 0, 2, 60);
  const waiting = start(path, 1, 3, 60);
  t.match((await waiting.ended).lines, ['E_RANKS_JOIN rank 0 is one of 2 ranks, rank 1 one of 3']);
  dead.kill('SIGKILL');
  await dead.ended;
  t.ok(existsSync(path), 'it was killed before it could remove its file');
  t.same(
    await linesOf([start(path, 1, 2, 60, 'reduce:5'), start(path, 0, 2, 60, 'reduce:5')]).then(([a]) => a.length),
    2,
  );

  writeFileSync(path, 'x'.repeat(10_000));
  const [only] = await linesOf([start(path, 1, 2, 1)]);
  t.same(only, ['E_RANKS_JOIN rank 0 did not come within 1 s']);
});

test('two processes cannot be the same rank', async (t) => {
  const path = join(t.testdir(), 'job');
  const first = start(path, 1, 3, 60, 'gather:1');
  const other = start(path, 1, 3, 60, 'gather:1');
  const zero = start(path, 0, 3, 60, 'gather:1');
  const loser = await Promise.race([first.ended, other.ended]);
  t.match(loser.lines[0], /^E_RANKS_JOIN rank 1 is there already: process \d+$/);
  const second = await start(path, 0, 3, 60).ended;
  t.match(second.lines[0], /^E_RANKS_JOIN rank 0 is there already: process \d+$/);
  const [lines] = await linesOf([zero, start(path, 2, 3, 60, 'gather:1')]);
  t.same(lines, ['joined', 'true,true,true']);
});

test('a rank that gives up, leaves or dies while others wait for it is named', async (t) => {
  const path = join(t.testdir(), 'job');
  const [, gaveUp] = await linesOf([
    start(path, 0, 2, 60, 'abandon:the disk is full'),
    start(path, 1, 2, 60, 'gather:1'),
  ]);
  t.same(gaveUp, ['joined', 'E_RANK_LOST rank 0 gave up: the disk is full']);
  const [, left] = await linesOf([start(path, 0, 2, 60), start(path, 1, 2, 60, 'gather:1')]);
  t.match(left[1], /^E_RANK_LOST rank 0 \(process \d+\) has left the job$/);
  const ranks = [
    start(path, 0, 3, 60, 'gather:1', 'hang'),
    ...[1, 2].map((r) => start(path, r, 3, 60, 'gather:1', 'reduce:9')),
  ];
  await ranks[0].said(/true/);
  ranks[0].kill('SIGKILL');
  for (const lines of (await linesOf(ranks)).slice(1)) t.match(lines[2], /^E_RANK_LOST rank 0 \(process \d+\) died$/);
});

test('a rank that makes another call than the others is told so', async (t) => {
  const path = join(t.testdir(), 'job');
  const all = await linesOf([start(path, 0, 2, 60, 'gather:4'), start(path, 1, 2, 60, 'reduce:1')]);
  for (const lines of all) t.match(lines[1], /makes another call than rank \d: all ranks must do the same/);
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
  const [lines] = await linesOf([start(join(folder, 'job'), 0, 2, 5)]);
  t.match(lines[0], /^E_RANKS_JOIN .*No space left on device \(1 MiB of shared memory are needed\)$/);
});

test('a file of another user is not trusted', {
  skip: process.getuid?.() !== 0 && 'giving away needs root',
}, async (t) => {
  const path = join(t.testdir(), 'job');
  writeFileSync(path, 'x'.repeat(10_000));
  chownSync(path, 1234, 1234);
  const [lines] = await linesOf([start(path, 1, 2, 5)]);
  t.match(lines[0], /belongs to another user$/);
});
