/** Ranks that exchange numbers through Open MPI, as `mpirun` starts them. */
import { spawnSync } from 'node:child_process';
import { test } from 'tap';
import { loadLibrary } from '../../sdk/engine/native/library.js';
import { type Answer, type Order, startMpi, startRank } from './rank-orders.js';
import { hashOfSum, LENGTHS } from './sums.js';

const skip = spawnSync('mpirun', ['--version']).status !== 0 && 'mpirun not installed (Debian: openmpi-bin)';

/** All that ranks say. */
async function allOf(answers: AsyncIterable<Answer>): Promise<readonly Answer[]> {
  const all: Answer[] = [];
  for await (const answer of answers) all.push(answer);
  return all;
}

/** The process of a rank, once all have joined. */
async function processOf(id: number, answers: AsyncIterator<Answer>, size: number): Promise<number> {
  let process = 0;
  for (let joined = 0; joined < size; joined++) {
    const { value } = await answers.next();
    if (value?.id === id) process = value.pid ?? 0;
  }
  return process;
}

for (const size of [2, 4]) {
  test(`${size} ranks under mpirun sum to the same bits as over TCP, gather, broadcast and leave`, {
    skip,
  }, async (t) => {
    const orders = Array.from({ length: size }, (_, id): Order[] => [
      ...LENGTHS.map((count) => ({ kind: 'sum', count })),
      { kind: 'gather', bytes: [id] },
      { kind: 'broadcast', bytes: [id, id] },
    ]);
    const { answers, ended } = startMpi(t, orders);
    const all = await allOf(answers);
    t.equal(await ended, 0);
    for (let id = 0; id < size; id++) {
      const [joined, ...values] = all.filter((answer) => answer.id === id);
      t.match(joined, { pid: Number });
      t.same(
        values.map(({ value }) => value),
        [...LENGTHS.map((count) => hashOfSum(size, count)), Array.from({ length: size }, (_, i) => [i]), [0, 0]],
      );
    }
  });
}

const waiting: Order[] = [{ kind: 'sum', count: 61_706 }];
const busy: Order[] = [{ kind: 'pause' }];

test('a signal reaches a rank under mpirun, and the others hear why it ends', { skip }, async (t) => {
  const { answers, ended } = startMpi(t, [waiting, busy]);
  process.kill(await processOf(1, answers, 2), 'SIGTERM');
  t.match(await answers.next(), {
    value: { id: 0, code: 'E_RANK_LOST', message: 'rank 1 gave up: it was told to end' },
  });
  t.not(await ended, 0);
});

test('a rank under mpirun that stands still is not heard of, and the job ends', { skip }, async (t) => {
  const { answers, ended } = startMpi(t, [waiting, waiting, busy]);
  process.kill(await processOf(2, answers, 3), 'SIGSTOP');
  const { value } = await answers.next();
  t.match(value?.message, /^rank 2 \(\S+\) has not been heard of for 8 s$/);
  t.not(await ended, 0);
});

test('a rank under mpirun that is killed ends the job', { skip }, async (t) => {
  const { answers, ended } = startMpi(t, [waiting, busy]);
  process.kill(await processOf(1, answers, 2), 'SIGKILL');
  t.not(await ended, 0);
  // Where mpirun was not quicker to end it.
  for (const { message } of await allOf(answers))
    t.match(message, /^rank 1 (\(\S+\) ended|gave up: .*)$|^rank 0 gave up/);
});

test('a rank under mpirun that leaves too early, or makes other calls, is named', { skip }, async (t) => {
  const early = startMpi(t, [waiting, []]);
  const left = (await allOf(early.answers)).find(({ message }) => message);
  t.match(left, { id: 0, message: /^rank 1 \(\S+\) has left the job$/ });
  t.not(await early.ended, 0);

  const other = startMpi(t, [waiting, [{ kind: 'gather', bytes: [1, 2, 3] }]]);
  const differing = (await allOf(other.answers)).find(({ message }) => message);
  t.match(differing?.message, 'rank 0 makes a sum of 246824 bytes where rank 1 makes a gather of 3 bytes');
  t.not(await other.ended, 0);
});

test('a process that mpirun did not start is told so', { skip }, async (t) => {
  const alone = startRank(t, { id: 0, size: 2, rendezvous: { kind: 'mpi' } });
  t.match(await alone.next(), {
    code: 'E_RANKS_JOIN',
    message: 'this process was not started by Open MPI: start the ranks',
  });
});

test('rank variables that contradict mpirun are an error', { skip }, async (t) => {
  const { answers, ended } = startMpi(t, [[], []], { ranks: 3 });
  const [first] = await allOf(answers);
  t.match(first.message, /^the rank variables say rank \d of 3, Open MPI rank \d of 2: unset RANK_ID/);
  t.not(await ended, 0);
});

test('without Open MPI, or with another MPI, the error says what to install', async (t) => {
  const error = new Uint8Array(512);
  t.equal(await loadLibrary().joinMpi('libmpi-that-is-not-there.so.40', 0, 2, 1, error), null);
  const said = Buffer.from(error.subarray(0, error.indexOf(0))).toString();
  t.match(
    said,
    'Open MPI is not installed on this machine (libmpi-that-is-not-there.so.40): apt-get install libopenmpi3',
  );
});

const compiler = spawnSync('c++', ['--version']).status !== 0 && 'c++ not installed';

test('an MPI whose handles are others is refused by its name', { skip: compiler }, async (t) => {
  // Only what is asked of it before: its ABI is what it is refused for.
  const source = `extern "C" int MPI_Get_library_version(char* text, int*) {
    __builtin_strcpy(text, "MPICH Version:\\t4.0.2\\nMPICH Release date: 2022");
    return 0;
  }`;
  const folder = t.testdir({ 'mpich.cpp': source });
  const library = `${folder}/libmpi.so.12`;
  t.equal(spawnSync('c++', ['-shared', '-fPIC', `${folder}/mpich.cpp`, '-o', library]).status, 0);
  const error = new Uint8Array(512);
  t.equal(await loadLibrary().joinMpi(library, 0, 2, 1, error), null);
  t.match(
    Buffer.from(error).toString(),
    'libmpi.so.12 is not Open MPI but MPICH Version:\t4.0.2: start the ranks with',
  );
});
