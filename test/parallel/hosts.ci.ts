/** Ranks on four machines with links of 1 Gbit/s, over TCP and under mpirun, and a link that is cut in the middle of a sum. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { writeDigits } from '../../datasets/digits.js';
import { packageRoot } from '../../sdk/base/package.js';
import { makeHosts, noHosts } from './hosts.js';
import { type Answer, freePlace, type Order, startMpi, startRank, tellAll } from './rank-orders.js';
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

const AS_ROOT = { OMPI_ALLOW_RUN_AS_ROOT: '1', OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: '1' };
const noMpi = spawnSync('mpirun', ['--version']).status !== 0 && 'mpirun not installed (Debian: openmpi-bin)';

t.test(
  'ranks that mpirun starts on four machines sum, and hear who was cut off',
  { skip: skip || noMpi },
  async (t) => {
    const { addresses, on, cut, shell } = makeHosts(t, HOSTS);
    const args = overHosts(addresses, shell);
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

t.test(
  'a launch file that mpirun starts on four machines trains as one process does, and says what the network took',
  { skip: skip || noMpi, timeout: 300_000 },
  async (t) => {
    const root = t.testdir();
    const { addresses, on, shell } = makeHosts(t, HOSTS);
    await writeDigits(join(root, 'set'), { train: 2000, test: 500 });
    const script = join(packageRoot, 'dist/scripts/train.js');
    const train = (out: string, batch: number): readonly string[] => [
      process.execPath,
      script,
      `--data_url=${join(root, 'set')}`,
      `--train_url=${join(root, out)}`,
      '--epoch_size=8',
      '--threads=1',
      `--batch_size=${batch}`,
    ];
    const epochsOf = (command: readonly string[], out: string): readonly Epoch[] => {
      const [file, ...args] = command;
      const env = { ...process.env, ...AS_ROOT, MINDTS_CACHE: join(root, 'cache') };
      const { status, stderr } = spawnSync(file, args, { encoding: 'utf8', env });
      t.equal(status, 0, stderr);
      return JSON.parse(readFileSync(join(root, out, 'history.json'), 'utf8')).epochs;
    };
    const alone = epochsOf(train('alone', 32), 'alone');
    const mpirun = [...on(0), 'mpirun', ...overHosts(addresses, shell), '-x', 'MINDTS_CACHE'];
    const together = epochsOf([...mpirun, ...train('together', 8)], 'together');
    for (const [i, { accuracy, loss, communication = 0 }] of together.entries()) {
      t.ok(Math.abs(loss - alone[i].loss) < 1e-3 * alone[i].loss, `${loss} and ${alone[i].loss}`);
      t.ok(Math.abs(accuracy - alone[i].accuracy) <= 0.004, `${accuracy} and ${alone[i].accuracy}`);
      t.ok(communication > 0 && communication < 1, `${communication}`);
    }
    t.comment(
      `${together.map(({ communication = 0 }) => (100 * communication).toFixed(0)).join(', ')} % communication`,
    );
  },
);

/** As history.json has it. */
interface Epoch {
  readonly accuracy: number;
  readonly loss: number;
  readonly communication?: number;
}

/** What has mpirun start a rank on each machine. */
function overHosts(addresses: readonly string[], shell: string): readonly string[] {
  const include = `${addresses[0]}/24`;
  const parameters = { plm_rsh_agent: shell, btl_tcp_if_include: include, oob_tcp_if_include: include };
  const settings = Object.entries(parameters).flatMap(([name, value]) => ['--mca', name, value]);
  return [...settings, '--host', addresses.map((address) => `${address}:1`).join()];
}
