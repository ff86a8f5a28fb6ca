/** Several processes that train one model. */
import { test } from 'tap';
import { startRanks } from './ranks.js';

interface Said {
  readonly step?: number;
  readonly loss?: number;
  readonly hash?: string;
  readonly accuracy?: number;
  readonly code?: string;
  readonly message?: string;
}

async function train(...options: readonly object[]): Promise<readonly (readonly Said[])[]> {
  const ranks = startRanks(
    'train-child.js',
    options.map((each) => [JSON.stringify(each)]),
  );
  const ended = await Promise.all(ranks.map(({ ended: end }) => end));
  return ended.map(({ lines }) => lines.map((line) => JSON.parse(line)));
}

/** The largest relative difference of two runs' losses, step by step. */
function apart(a: readonly Said[], b: readonly Said[]): number {
  const pairs = a.flatMap(({ loss }, i) => (loss === undefined ? [] : [[loss, b[i].loss ?? Number.NaN]]));
  return Math.max(...pairs.map(([x, y]) => Math.abs(x - y) / Math.abs(x)));
}

test('two ranks with batches of 16 are one rank with batches of 32: the same losses over 200 steps', async (t) => {
  const common = { samples: 640, epochs: 10 };
  const [one] = await train({ ...common, batchSize: 32 });
  const [first, second] = await train({ ...common, batchSize: 16 }, { ...common, batchSize: 16 });
  t.equal(one.length, 201);
  t.equal(first.length, 201);
  t.ok(apart(one, first) < 1e-5, `${apart(one, first)}`);
  t.same(first.slice(0, -1), second.slice(0, -1), 'every rank knows the losses of all');
  t.equal(first.at(-1)?.hash, second.at(-1)?.hash, 'and has the same parameters, bit for bit');
  t.equal(first.at(-1)?.accuracy, second.at(-1)?.accuracy);
});

test('five ranks share batches that they do not divide, the last smaller one too, with dropout and Adam', async (t) => {
  const common = { samples: 333, epochs: 2, kind: 'dropping', optimizer: 'adam', dropRemainder: false };
  const [one] = await train({ ...common, batchSize: 35 });
  const ranks = await train(...Array.from({ length: 5 }, () => ({ ...common, batchSize: 7 })));
  t.equal(ranks[0].length, 21, '10 steps an epoch, the last of 18 samples');
  for (const each of ranks) t.ok(apart(one, each) < 1e-5, `${apart(one, each)}`);
  t.equal(new Set(ranks.map((each) => each.at(-1)?.hash)).size, 1);
});

test('a last batch of fewer samples than ranks is shared, too', async (t) => {
  const common = { samples: 33, kind: 'normalised', dropRemainder: false };
  const ranks = await train(
    { ...common, batchSize: 8 },
    { ...common, batchSize: 8 },
    { ...common, batchSize: 8 },
    {
      ...common,
      batchSize: 8,
    },
  );
  t.equal(ranks[0].length, 3);
  t.ok(
    ranks[0].every(({ loss }) => loss === undefined || Number.isFinite(loss)),
    JSON.stringify(ranks[0]),
  );
  t.equal(new Set(ranks.map((each) => each.at(-1)?.hash)).size, 1, 'moving statistics of all ranks are the same');
});

test('ranks with several threads each, in one order: the same run twice is the same to the last bit', async (t) => {
  const options = { samples: 128, batchSize: 32, threads: 2 };
  const [a] = await train(options, options);
  const [b] = await train(options, options);
  t.same(a, b);
});

test('a rank with another data set, network or setting is found out before the first step, and named', async (t) => {
  for (const [other, what] of [
    [{ samples: 321 }, /the data set is 321 samples with the checksum \w+ on rank 1 and 320 samples .* on rank 0/],
    [{ kind: 'dropping' }, /network is dropping \(\w+\) on rank 1 and lenet \(\w+\) on rank 0/],
    [{ seed: 2 }, /seed is 2 on rank 1 and 1 on rank 0/],
    [{ optimizer: 'adam' }, /optimizer is adam on rank 1 and sgd on rank 0/],
  ] as const) {
    const ranks = await train({}, other);
    for (const [only] of ranks) {
      t.equal(only.code, 'E_RANKS_DIFFER');
      t.match(only.message, what);
    }
  }
});

test('a rank that is told to stop stops all of them after the same step', async (t) => {
  const [first, second] = await train({ epochs: 50 }, { epochs: 50, interrupt: 7 });
  t.equal(second.at(-1)?.code, 'E_INTERRUPTED');
  t.equal(first.at(-1)?.code, 'E_INTERRUPTED');
  t.equal(first.at(-2)?.step, second.at(-2)?.step);
  const last = first.at(-2)?.step ?? 0;
  t.ok(last > 7 && last < 500, `after step ${last}, and not at the end`);
});

test('a callback of one rank ends training for all after the same epoch', async (t) => {
  const [first, second] = await train({ epochs: 50 }, { epochs: 50, lastEpoch: 2 });
  t.equal(first.at(-2)?.step, 20);
  t.same(first.slice(0, -1), second.slice(0, -1));
  t.equal(first.at(-1)?.hash, second.at(-1)?.hash);
});

test('a rank ten times slower than the others is waited for', async (t) => {
  const [first, second] = await train({ samples: 64 }, { samples: 64, slow: 60 });
  t.equal(first.length, 3);
  t.equal(first.at(-1)?.hash, second.at(-1)?.hash);
});

test('when a rank is killed, all others end with an error that names it', async (t) => {
  for (const victim of [0, 1, 2]) {
    const ranks = startRanks(
      'train-child.js',
      [0, 1, 2].map(() => [JSON.stringify({ epochs: 100_000 })]),
    );
    await Promise.all(ranks.map(({ said }) => said(/"step":30,/)));
    ranks[victim].kill('SIGKILL');
    for (const [id, { ended }] of ranks.entries()) {
      const { code, lines } = await ended;
      if (id === victim) {
        t.equal(code, 'SIGKILL');
        continue;
      }
      t.equal(code, 1);
      const { code: error, message }: Said = JSON.parse(lines[lines.length - 1]);
      t.equal(error, 'E_RANK_LOST');
      t.match(message, new RegExp(`rank ${victim} \\(process \\d+\\) died`));
    }
  }
});
