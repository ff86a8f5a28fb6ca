/** Ranks on four machines with links of 1 Gbit/s, over TCP and under mpirun, and a link that is cut in the middle of a sum. */
import { spawnSync } from 'node:child_process';
import t from 'tap';
import { makeHosts, noHosts } from './hosts.js';
import { type Answer, freePlace, type Order, startMpi, startRank, tellAll } from './processes.js';
import { hashOfSum, LENGTHS } from './sums.js';

const HOSTS = 4;
/** For a fraction of a second on the way. */
const LONG = 2 ** 23;

const skip = noHosts();

t.test('ranks on four machines sum over TCP, and all know who was cut off in the middle', { skip }, async (t) => {
  const { addresses, on, cut } = makeHosts(t, HOSTS);
  const rendezvous = { ...(await freePlace()), host: addresses[0] };
  const ranks = addresses.map((_, id) => startRank(t, { id, size: HOSTS, rendezvous, runner: on(id) }));
  for (const rank of ranks) t.match(await rank.next(), { pid: Number });
  for (const count of LENGTHS) {
    t.same(
      await tellAll(ranks, { kind: 'sum', count }),
      Array(HOSTS).fill(hashOfSum(HOSTS, count)),
      `${count} numbers`,
    );
  }
  const [first, second, , fourth] = ranks;
  const answers = tellAll(ranks, { kind: 'sum', count: LONG });
  cut(2);
  const said = await answers;
  const message = `rank 2 (${addresses[2]}) has not been heard of for 8 s`;
  t.same([said[0], said[1], said[3]], [message, message, message]);
  t.equal(said[2], 'rank 2 has heard of no other rank for 8 s: it is cut off from them');
  for (const rank of [first, second, fourth]) t.match(await rank.tell({ kind: 'sum', count: 1 }), { message }, 'still');
});

t.test('a rank that starts on the machine of rank 0 is found by the others', { skip }, async (t) => {
  const { addresses, on } = makeHosts(t, 2);
  const place = await freePlace();
  // To rank 0 it comes from its own loopback.
  const hosts = ['127.0.0.1', '127.0.0.1', addresses[0]];
  const ranks = hosts.map((host, id) =>
    startRank(t, { id, size: 3, rendezvous: { ...place, host }, runner: on(id === 2 ? 1 : 0) }),
  );
  for (const rank of ranks) t.match(await rank.next(), { pid: Number });
  t.same(await tellAll(ranks, { kind: 'sum', count: 9 }), Array(3).fill(hashOfSum(3, 9)));
});

const noMpi = spawnSync('mpirun', ['--version']).status !== 0 && 'mpirun not installed (Debian: openmpi-bin)';

t.test(
  'ranks that mpirun starts on four machines sum, and hear who was cut off',
  { skip: skip || noMpi },
  async (t) => {
    const { addresses, on, cut, shell } = makeHosts(t, HOSTS);
    const include = `${addresses[0]}/24`;
    const parameters = { plm_rsh_agent: shell, btl_tcp_if_include: include, oob_tcp_if_include: include };
    const args = [
      ...Object.entries(parameters).flatMap(([name, value]) => ['--mca', name, value]),
      '--host',
      addresses.map((address) => `${address}:1`).join(),
    ];
    const orders: Order[] = LENGTHS.map((count) => ({ kind: 'sum', count }));
    const endless: Order[] = Array.from({ length: 1000 }, () => ({ kind: 'sum', count: LONG }));
    const job = startMpi(
      t,
      addresses.map(() => [...orders, ...endless]),
      { args, runner: [...on(0)] },
    );
    const sums = [...LENGTHS, LONG].map((count) => hashOfSum(HOSTS, count));
    let [joined, summed] = [0, 0];
    const lost: Answer[] = [];
    for await (const answer of job.answers) {
      if (answer.pid !== undefined) joined++;
      // mpirun itself waits on, for the daemon that it cannot reach.
      if (answer.message !== undefined && lost.push(answer) === HOSTS - 1) break;
      if (answer.value === undefined) continue;
      t.ok(sums.some((sum) => sum === answer.value));
      if (++summed === HOSTS * LENGTHS.length) cut(2);
    }
    t.equal(joined, HOSTS);
    t.equal(lost.length, HOSTS - 1);
    for (const { message } of lost) t.match(message, /^rank 2 \(10\.77\.0\.3\) has not been heard of for 8 s$/);
  },
);
