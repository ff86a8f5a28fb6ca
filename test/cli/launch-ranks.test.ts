import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Test, test } from 'tap';
import { packageRoot } from '../../sdk/base/package.js';
import { findRankScript } from '../../sdk/cli/rank-script.js';
import { COMMAND, type Ended, type Running, run, start } from './command.js';

const NOTHING = /^$/;

/** A script that ranks run. */
function script(t: Test, body: string, name = 'job.mjs'): { file: string; cache: string } {
  const folder = t.testdir();
  const file = join(folder, name);
  writeFileSync(file, body);
  return { file, cache: join(folder, 'cache') };
}

const HANG = 'setInterval(() => {}, 1000);';

function lines({ stderr }: Ended): readonly string[] {
  return stderr.trimEnd().split('\n');
}

/** Ranks that say when they are there, and what signals come. */
const SAYING = `const { RANK_ID } = process.env;
for (const [name, code] of [['SIGINT', 130], ['SIGTERM', 143]]) process.on(name, () => {
  console.log('rank', RANK_ID, 'got', name);
  if (!process.argv.includes('stay')) process.exit(code);
});
console.log('rank', RANK_ID, 'ready');
${HANG}`;

async function bothReady(job: Running): Promise<void> {
  await job.seen(/rank 0 ready/);
  await job.seen(/rank 1 ready/);
}

/** What ranks said of signals, in an order of its own. */
function signalsIn({ stdout }: Ended): readonly string[] {
  return (stdout.match(/rank \d got \w+/g) ?? []).toSorted();
}

const SHOW = `const { env, argv } = process;
const { RANK_ID, RANK_SIZE, LOCAL_RANK, LOCAL_WORLD_SIZE, MINDTS_RENDEZVOUS, MINDTS_RANK_TIMEOUT_S } = env;
const outer = Object.keys(env).filter((name) => /^OMPI_COMM_WORLD_(RANK|SIZE)$|^MINDTS_RANKS|^WORLD_SIZE$/.test(name));
console.log(JSON.stringify({ RANK_ID, RANK_SIZE, LOCAL_RANK, LOCAL_WORLD_SIZE, MINDTS_RENDEZVOUS, MINDTS_RANK_TIMEOUT_S, outer, argv: argv.slice(2) }));`;

/** What each rank saw, in the order of ranks. */
function shown({ stdout }: Ended): readonly Record<string, unknown>[] {
  const all: Record<string, unknown>[] = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  return all.toSorted((a, b) => Number(a['RANK_ID']) - Number(b['RANK_ID']));
}

test('each rank is told which it is and where the others are, and gets the arguments behind the script', async (t) => {
  const { file, cache } = script(t, SHOW);
  const outside = {
    OMPI_COMM_WORLD_RANK: '0',
    OMPI_COMM_WORLD_SIZE: '9',
    RANK_ID: '7',
    WORLD_SIZE: '3',
    MINDTS_RANKS: 'off',
  };
  const argv = ['--nproc', '3', '--data_url=', '-n', '--help', 'x y'];
  const ended = await run(['launch', '-n', '2', '--timeout=60', file, ...argv], { cache, env: outside });
  t.match(ended, { code: 0, stderr: NOTHING });
  const [first, second] = shown(ended);
  const common = { RANK_SIZE: '2', LOCAL_WORLD_SIZE: '2', MINDTS_RANK_TIMEOUT_S: '60', outer: [], argv };
  t.match(first, { ...common, RANK_ID: '0', LOCAL_RANK: '0' });
  t.match(second, { ...common, RANK_ID: '1', LOCAL_RANK: '1' });
  t.equal(second['MINDTS_RENDEZVOUS'], first['MINDTS_RENDEZVOUS']);
  t.notOk(existsSync(dirname(String(first['MINDTS_RENDEZVOUS']))), 'where they met is gone');
});

test("of several machines each launches its share, and all meet at the first one's address", async (t) => {
  const { file, cache } = script(t, SHOW);
  const machine = ['--nnodes', '2', '--node-rank', '1', '--master_addr', 'fd00::1', '--master_port', '4000'];
  const [first, second] = shown(await run(['launch', '--nproc=2', ...machine, file], { cache }));
  t.match(first, { RANK_ID: '2', RANK_SIZE: '4', LOCAL_RANK: '0', MINDTS_RENDEZVOUS: '[fd00::1]:4000' });
  t.match(second, { RANK_ID: '3', RANK_SIZE: '4', LOCAL_RANK: '1', MINDTS_RENDEZVOUS: '[fd00::1]:4000' });
});

test('when a rank dies the others are asked to end, then ended, and the last line says which died', async (t) => {
  const { file, cache } = script(
    t,
    `import { writeFileSync } from 'node:fs';
    const { RANK_ID } = process.env;
    if (RANK_ID === '0') process.on('SIGTERM', () => { console.log('rank 0 saved'); process.exit(143); });
    if (RANK_ID === '2') process.on('SIGTERM', () => console.log('rank 2 stays'));
    writeFileSync(new URL('pid' + RANK_ID, import.meta.url), String(process.pid));
    console.log('rank', RANK_ID, 'ready');
    ${HANG}`,
  );
  const job = start(['launch', '--nproc', '3', file], { cache });
  await bothReady(job);
  await job.seen(/rank 2 ready/);
  process.kill(Number(readFileSync(join(dirname(file), 'pid1'), 'utf8')), 'SIGKILL');
  // Its output ends when all who write to it have.
  const ended = await job.ended;
  t.equal(ended.code, 137);
  t.match(ended.stdout, /rank 0 saved/);
  t.match(ended.stdout, /rank 2 stays/);
  t.strictSame(lines(ended), [
    'mindts: rank 1 was killed by SIGKILL; ending the ranks that still run: 0, 2',
    'mindts: rank 1 was killed by SIGKILL',
  ]);
});

test('when a rank fails and the others hear of it themselves, nothing is done to them, and its exit code is that of all', async (t) => {
  const { file, cache } = script(
    t,
    `if (process.env.RANK_ID === '1') process.exit(3);
    process.on('SIGTERM', () => console.log('asked'));
    process.once('beforeExit', () => process.exit(1));`,
  );
  const ended = await run(['launch', '--nproc', '2', file], { cache });
  t.equal(ended.code, lines(ended)[0].includes('rank 1') ? 3 : 1);
  t.match(ended.stderr, /^mindts: rank \d ended with exit code \d\n$/);
  t.equal(ended.stdout, '');
});

test('SIGINT and SIGTERM go to every rank, once, also when the whole group of the launcher gets them', async (t) => {
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    const { file, cache } = script(t, SAYING);
    // They stay, so that a signal that came twice would be seen, until a second one of the launcher's ends them.
    const job = start(['launch', '--nproc', '2', file, 'stay'], { cache, detached: true });
    await bothReady(job);
    process.kill(-(job.child.pid ?? Number.NaN), signal);
    await job.seen(/rank 0 got/);
    await job.seen(/rank 1 got/);
    job.child.kill(signal);
    const ended = await job.ended;
    t.match(ended, { code, stderr: NOTHING });
    t.strictSame(signalsIn(ended), [`rank 0 got ${signal}`, `rank 1 got ${signal}`]);
  }
});

test('a second signal ends ranks at once, with what they have started', async (t) => {
  const grandchild = `import { spawn } from 'node:child_process';
  spawn(process.execPath, ['-e', ${JSON.stringify(HANG)}], { stdio: 'inherit' });`;
  const { file, cache } = script(t, `${grandchild}\n${SAYING}`);
  const job = start(['launch', '--nproc', '2', file, 'stay'], { cache });
  await bothReady(job);
  job.child.kill('SIGINT');
  await job.seen(/rank 0 got/);
  await job.seen(/rank 1 got/);
  job.child.kill('SIGINT');
  t.match(await job.ended, { code: 130, stderr: NOTHING });
});

test('a rank that fails while it is ordered to stop is an error all the same', async (t) => {
  const { file, cache } = script(
    t,
    `${SAYING.replace('process.exit(code)', "process.exit(RANK_ID === '1' ? 1 : code)")}`,
  );
  const job = start(['launch', '--nproc', '2', file], { cache });
  await bothReady(job);
  job.child.kill('SIGTERM');
  t.match(await job.ended, { code: 1, stderr: 'mindts: rank 1 ended with exit code 1\n' });
});

test('ranks whose launcher was killed stop, say why, and leave nothing behind', async (t) => {
  const { file, cache } = script(t, `console.log('meet at', process.env.MINDTS_RENDEZVOUS);\n${SAYING}`);
  const job = start(['launch', '--nproc', '2', file], { cache });
  await bothReady(job);
  job.child.kill('SIGKILL');
  const ended = await job.ended;
  t.equal(ended.code, 'SIGKILL');
  const folder = dirname(/meet at (.*)/.exec(ended.stdout)?.[1] ?? '.');
  t.match(folder, /mindts-launch-\w+$/);
  t.notOk(existsSync(folder));
  t.match(lines(ended).toSorted(), [
    /^mindts: mindts launch, which started this rank, was ended: stopping/,
    /^mindts: rank 1: mindts launch, which started this rank, was ended: stopping/,
  ]);
});

test('ranks whose launcher was killed before they could look stop as well', async (t) => {
  const { file, cache } = script(t, SAYING);
  // Holds ranks up while they start. Node's threads load it too.
  const gate = join(dirname(file), 'gate.cjs');
  writeFileSync(
    gate,
    `const { ppid, env: { RANK_ID } } = process;
    if (RANK_ID !== undefined && require('node:worker_threads').isMainThread) {
      require('node:fs').writeSync(1, 'rank ' + RANK_ID + ' ready, meet at ' + process.env.MINDTS_RENDEZVOUS + '\\n');
      while (process.ppid === ppid) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
    }`,
  );
  const job = start(['launch', '--nproc', '2', file], { cache, env: { NODE_OPTIONS: `--require ${gate}` } });
  await bothReady(job);
  job.child.kill('SIGKILL');
  const ended = await job.ended;
  t.match(lines(ended).toSorted(), [
    /^mindts: mindts launch, which started this rank, was ended: stopping/,
    /^mindts: rank 1: mindts launch, which started this rank, was ended: stopping/,
  ]);
  t.notOk(existsSync(dirname(/meet at (.*)/.exec(ended.stdout)?.[1] ?? '.')));
});

test('a launch file runs as ranks by its name, and its output goes through', async (t) => {
  const { cache } = script(t, '');
  const ended = await run(['launch', '--nproc', '2', 'train', '--help'], { cache });
  t.match(ended, { code: 0, stderr: NOTHING });
  t.equal(ended.stdout.match(/^Usage: node train\.js/gm)?.length, 1);
});

test('the ranks of a machine share its processors', async (t) => {
  const { cache } = script(t, '');
  const threads = async (env: Record<string, string>): Promise<number> =>
    Number(/native \(\w+, (\d+) thread/.exec((await run(['doctor'], { cache, env })).stdout)?.[1]);
  t.equal(await threads({}), availableParallelism());
  t.equal(await threads({ RANK_ID: '1', RANK_SIZE: '2' }), Math.max(1, Math.floor(availableParallelism() / 2)));
  t.equal(await threads({ RANK_ID: '1', RANK_SIZE: '1000', LOCAL_RANK: '1', LOCAL_WORLD_SIZE: '1000' }), 1);
});

test('TypeScript runs as what it was compiled to, or by what can run it, or the error says what was looked for', async (t) => {
  const folder = t.testdir({
    'package.json': '{}',
    scripts: { 'job.ts': '', 'side.mts': '', 'side.mjs': '' },
    dist: {},
  });
  const job = join(folder, 'scripts', 'job.ts');
  const places = [join(folder, 'dist', 'scripts', 'job.js'), join(folder, 'scripts', 'job.js')];
  const runsTypes = 'typescript' in process.features && Boolean(process.features.typescript);
  if (!runsTypes) {
    t.throws(() => findRankScript(job), {
      code: 'E_SCRIPT',
      exitCode: 2,
      message: `${job} is not compiled: there is no ${places.join(' or ')}; compile it (npx tsc), or install tsx, or Node 22.18 or later`,
    });
    // Stands in for tsx: it is only looked for here.
    mkdirSync(join(folder, 'node_modules', 'tsx'), { recursive: true });
    writeFileSync(join(folder, 'node_modules', 'tsx', 'index.js'), '');
    const execArgv = ['--import', pathToFileURL(join(folder, 'node_modules', 'tsx', 'index.js')).href];
    t.strictSame(findRankScript('scripts/job.ts', folder), { file: job, execArgv });
  }
  t.match(findRankScript('scripts/side.mts', folder), { file: join(folder, 'scripts', 'side.mjs') });
  mkdirSync(dirname(places[0]));
  writeFileSync(places[0], '');
  t.strictSame(findRankScript('scripts/job.ts', folder), { file: places[0], execArgv: [] });
  const own = join(packageRoot, 'dist', 'scripts', 'train.js');
  t.match(findRankScript('scripts/train.ts', packageRoot), { file: own });
  t.match(findRankScript('scripts/train.ts', folder), { file: own }, 'where the package is installed');
  t.match(findRankScript('train', folder), { file: own });
});

test('shared memory in which no folder can be made is an error in one line', {
  skip: process.platform === 'linux' && process.getuid?.() === 0 ? false : 'needs to mount',
}, async (t) => {
  const { file, cache } = script(t, '');
  const full = 'mount -t tmpfs -o nr_inodes=1 tmpfs /dev/shm && exec "$@"';
  const args = ['sh', '-c', full, 'sh', process.execPath, COMMAND, 'launch', '--nproc', '2', file];
  t.match(await run(args, { cache, program: 'unshare', file: '--mount' }), {
    code: 1,
    stderr: /^mindts: cannot make a folder for ranks to meet in \/dev\/shm: .*no space left.*\n$/i,
  });
});

test('a wrong command line is refused in one line', async (t) => {
  const { file, cache } = script(t, '');
  const many = ['--nproc', '2', '--nnodes', '2'];
  for (const [args, message] of [
    [[file], /^mindts: required, but not given: --nproc/],
    [['--nproc', '0', file], /^mindts: --nproc 0: expected a whole number from 1 to 1024\n$/],
    [['--nproc', '2'], /^mindts: usage: mindts launch --nproc N/],
    [
      ['--nproc', '2', '--nprocs', '3', file],
      /^mindts: flags that are not known here: --nprocs \(did you mean --nproc\?\); the script's own stand behind its name\n$/,
    ],
    [['--nproc', '2', 'trian'], /^mindts: there is no script trian; there are .*train.*\n$/],
    [['--nproc', '2', 'none.js'], /^mindts: there is no script \/.*none\.js\n$/],
    [['--nproc', '2', 'none.ts'], /^mindts: there is no script \/.*none\.ts, and no \/.*none\.js\n$/],
    [[...many, file], /^mindts: --nnodes 2 needs --master_addr/],
    [[...many, '--node_rank', '2', file], /^mindts: --node_rank 2: expected less than --nnodes, which is 2\n$/],
  ] as const) {
    t.match(await run(['launch', ...args], { cache, cwd: dirname(file) }), {
      code: 2,
      stdout: NOTHING,
      stderr: message,
    });
  }
});
