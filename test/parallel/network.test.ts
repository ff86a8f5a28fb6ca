/** Ranks that exchange numbers over TCP, as processes that are killed, stopped, late, wrong or strangers. */
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { test } from 'tap';
import { z } from 'zod';
import { freePlace, startJob, startRank, tellAll } from './rank-orders.js';
import { hashOfSum, LENGTHS } from './sums.js';

for (const size of [2, 3, 5]) {
  test(`${size} ranks sum in the order of ranks, to the last bit`, async (t) => {
    const ranks = await startJob(t, size, await freePlace());
    for (const count of LENGTHS) {
      const sums = await tellAll(ranks, { kind: 'sum', count });
      t.same(sums, Array(size).fill(hashOfSum(size, count)), `${count} numbers`);
    }
  });
}

test('everyone gets what each has, or what rank 0 has', async (t) => {
  const ranks = await startJob(t, 3, await freePlace());
  const gathered = await Promise.all(ranks.map((rank, i) => rank.tell({ kind: 'gather', bytes: [i, 7] })));
  for (const { value } of gathered) t.same(value, [[0, 7], [1, 7], [2, 7]]); // biome-ignore format: a table
  const sent = await Promise.all(ranks.map((rank, i) => rank.tell({ kind: 'broadcast', bytes: [i, i, i] })));
  for (const { value } of sent) t.same(value, [0, 0, 0]);
  t.same(await tellAll(ranks, { kind: 'sum', count: 0 }), Array(3).fill(hashOfSum(1, 0)), 'nothing is summed too');
});

test('a rank that is killed while others wait is named by all, then and ever after', async (t) => {
  const [first, second, third] = await startJob(t, 3, await freePlace());
  const waiting = tellAll([first, third], { kind: 'sum', count: 61_706 });
  second.kill('SIGKILL');
  const message = 'rank 1 (127.0.0.1) ended';
  t.same(await waiting, [message, message]);
  t.same(await tellAll([first, third], { kind: 'gather', bytes: [] }), [message, message]);
});

test('a rank whose machine stands still is not heard of', async (t) => {
  const [first, second, third] = await startJob(t, 3, await freePlace());
  second.kill('SIGSTOP');
  const message = 'rank 1 (127.0.0.1) has not been heard of for 8 s';
  t.same(await tellAll([first, third], { kind: 'sum', count: 61_706 }), [message, message]);
  second.kill('SIGCONT');
  t.match(
    await second.tell({ kind: 'sum', count: 61_706 }),
    { message, code: 'E_RANK_LOST' },
    'and hears so when it wakes',
  );
});

test('a rank that gives up tells the others why', async (t) => {
  const [first, second, third] = await startJob(t, 3, await freePlace());
  const waiting = tellAll([first, third], { kind: 'sum', count: 5 });
  await second.tell({ kind: 'abandon', reason: 'no space left on the device' });
  const message = 'rank 1 gave up: no space left on the device';
  t.same(await waiting, [message, message]);
  t.match(await second.tell({ kind: 'sum', count: 5 }), { message });
});

test('a rank may leave when all calls are made, and not before', async (t) => {
  const [first, second, third] = await startJob(t, 3, await freePlace());
  const all = tellAll([first, second, third], { kind: 'sum', count: 9 });
  t.same(await all, Array(3).fill(hashOfSum(3, 9)));
  await second.tell({ kind: 'leave' });
  const message = 'rank 1 (127.0.0.1) has left the job';
  t.same(await tellAll([first, third], { kind: 'sum', count: 9 }), [message, message]);
});

test('ranks that make different calls are told so', async (t) => {
  const [first, second] = await startJob(t, 2, await freePlace());
  const answers = await Promise.all([
    first.tell({ kind: 'sum', count: 10 }),
    second.tell({ kind: 'gather', bytes: [1, 2] }),
  ]);
  const message =
    'rank 0 makes a sum of 40 bytes where rank 1 makes a gather of 2 bytes: all ranks of a job must do the same';
  for (const answer of answers) t.match(answer.message, message);
});

test('a rank that does not come to a call is named', async (t) => {
  const rendezvous = await freePlace();
  const second = startRank(t, { id: 1, size: 2, rendezvous });
  const first = startRank(t, { id: 0, size: 2, rendezvous, seconds: 4 });
  t.match(await Promise.all([first.next(), second.next()]), [{ pid: Number }, { pid: Number }]);
  const message = 'rank 1 (127.0.0.1) did not come within 4 s';
  t.match(await first.tell({ kind: 'gather', bytes: [1] }), { message, code: 'E_RANK_LOST' });
  // The bytes of rank 0 may be there before the news.
  await second.tell({ kind: 'gather', bytes: [1] });
  t.match(await second.tell({ kind: 'gather', bytes: [1] }), { message }, 'and hears so when it comes');
});

test('ranks that do not come to the job are named, by all that came', async (t) => {
  const rendezvous = await freePlace();
  const ranks = [
    startRank(t, { id: 2, size: 4, rendezvous }),
    startRank(t, { id: 0, size: 4, rendezvous, seconds: 4 }),
  ];
  for (const rank of ranks) {
    t.match(await rank.next(), { code: 'E_RANKS_JOIN', message: 'ranks 1, 3 did not come within 4 s' });
  }
  const alone = startRank(t, { id: 1, size: 2, rendezvous, seconds: 0.2 });
  t.match((await alone.next()).message, /^rank 0 was not to be found at 127\.0\.0\.1:\d+ within 0\.2 s \(.*refused\)$/);
  const elsewhere = { ...rendezvous, host: 'no-such-host.invalid' };
  const lost = startRank(t, { id: 1, size: 2, rendezvous: elsewhere, seconds: 0.2 });
  t.match(
    (await lost.next()).message,
    /^rank 0 was not to be found at no-such-host\.invalid:\d+ within 0\.2 s \(.+\)$/,
  );
});

test('strangers neither end nor delay a job, and its secret is not told', async (t) => {
  const rendezvous = await freePlace();
  const { host, port } = rendezvous;
  const first = startRank(t, { id: 0, size: 2, rendezvous });
  const wrong = startRank(t, { id: 1, size: 2, rendezvous: { ...rendezvous, token: 'another' } });
  const refused = await wrong.next();
  t.match(refused.message, /^it is of another job: their tokens differ \(asked at 127\.0\.0\.1:\d+\)$/);
  const silent = connect(port, host);
  t.teardown(() => silent.destroy());
  await once(silent, 'connect');
  const loud = connect(port, host).on('error', () => undefined);
  loud.end('GET / HTTP/1.1\r\n\r\n');
  await once(loud, 'close');

  const second = startRank(t, { id: 1, size: 2, rendezvous });
  t.match(await Promise.all([first.next(), second.next()]), [{ pid: Number }, { pid: Number }]);
  t.same(await tellAll([first, second], { kind: 'sum', count: 3 }), Array(2).fill(hashOfSum(2, 3)));
});

test('who was refused is said when the job does not come together', async (t) => {
  const rendezvous = await freePlace();
  const first = startRank(t, { id: 0, size: 2, rendezvous, seconds: 5 });
  const wrong = startRank(t, { id: 1, size: 2, rendezvous: { ...rendezvous, token: 'another' } });
  t.match(await wrong.next(), { code: 'E_RANKS_JOIN' });
  const { message } = await first.next();
  t.equal(message, 'rank 1 did not come within 5 s (127.0.0.1 was refused: it is of another job: their tokens differ)');
});

test('two processes of one rank, a rank too many and a job of another size are refused', async (t) => {
  const rendezvous = await freePlace();
  const first = startRank(t, { id: 0, size: 3, rendezvous });
  const second = startRank(t, { id: 1, size: 3, rendezvous });
  const twin = startRank(t, { id: 1, size: 3, rendezvous });
  // Whichever came second.
  const { message } = await Promise.race([second.next(), twin.next()]);
  t.match(message, /^rank 1 has already come, from 127\.0\.0\.1: two processes have the same rank \(asked at .*\)$/);
  const larger = startRank(t, { id: 2, size: 4, rendezvous });
  t.match((await larger.next()).message, /^rank 2 is one of 4 ranks, rank 0 one of 3 \(asked at .*\)$/);
  const beyond = startRank(t, { id: 3, size: 3, rendezvous });
  t.match((await beyond.next()).message, /^there is no rank 3 among 3 \(asked at .*\)$/);
  const third = startRank(t, { id: 2, size: 3, rendezvous });
  t.match(await Promise.all([first.next(), third.next()]), [{ pid: Number }, { pid: Number }]);
});

test('a rank that ends before all have come may come again', async (t) => {
  const rendezvous = await freePlace();
  const first = startRank(t, { id: 0, size: 3, rendezvous });
  // One of the two is refused, once the other has come.
  const early = [1, 1].map((id) => startRank(t, { id, size: 3, rendezvous }));
  t.match((await Promise.race(early.map((rank) => rank.next()))).message, 'rank 1 has already come');
  for (const { child, kill } of early) {
    const ended = child.exitCode ?? once(child, 'close');
    kill('SIGKILL');
    await ended;
  }
  const ranks = [1, 2].map((id) => startRank(t, { id, size: 3, rendezvous }));
  for (const rank of [first, ...ranks]) t.match(await rank.next(), { pid: Number });
});

test('a port that is taken, or where something else answers, is named', async (t) => {
  const server = createServer((socket) => socket.on('error', () => undefined).end('SSH-2.0-OpenSSH\r\n')).listen(0);
  t.teardown(() => server.close());
  await once(server, 'listening');
  const rendezvous = { ...(await freePlace()), port: z.object({ port: z.number() }).parse(server.address()).port };
  const host = startRank(t, { id: 0, size: 2, rendezvous });
  t.match(
    (await host.next()).message,
    /^port \d+ of this machine, where rank 0 waits for the others, is in use: choose/,
  );
  const guest = startRank(t, { id: 1, size: 2, rendezvous });
  t.match((await guest.next()).message, /^what answers at 127\.0\.0\.1:\d+ is no rank of mindts: name the machine/);
});
