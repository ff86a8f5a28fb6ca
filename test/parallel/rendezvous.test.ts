import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { test } from 'tap';
import { ParallelError } from '../../sdk/base/errors.js';
import { packageRoot } from '../../sdk/base/package.js';
import { currentRank } from '../../sdk/base/rank.js';
import type { Environment } from '../../sdk/base/rank-variables.js';
import { type Rendezvous, rendezvousOf } from '../../sdk/parallel/rendezvous.js';
import { firstSlurmNode } from '../../sdk/parallel/slurm-nodes.js';

function meet(env: Environment): Rendezvous {
  return rendezvousOf(currentRank(env), env);
}

function token(env: Environment): string {
  const met = meet(env);
  return met.kind === 'network' ? met.token : '';
}

function path(env: Environment): string {
  const met = meet(env);
  return met.kind === 'memory' ? met.path : '';
}

const TORCHRUN = {
  RANK: '1',
  WORLD_SIZE: '4',
  LOCAL_RANK: '1',
  LOCAL_WORLD_SIZE: '2',
  MASTER_ADDR: 'a',
  MASTER_PORT: '1234',
};
const PAI = {
  PAI_JOB_NAME: 'me~mnist',
  PAI_CURRENT_TASK_ROLE_NAME: 'My_Worker',
  PAI_CURRENT_TASK_ROLE_CURRENT_TASK_INDEX: '1',
  PAI_TASK_ROLE_TASK_COUNT_myworker: '2',
  PAI_HOST_IP_myworker_0: '10.0.0.7',
  PAI_PORT_LIST_myworker_0_http: '31001',
};
const SRUN = {
  SLURM_JOB_ID: '20007',
  SLURM_STEP_ID: '0',
  SLURM_STEP_NUM_TASKS: '4',
  SLURM_STEP_NODELIST: 'gpu[03-04]',
  SLURM_STEP_TASKS_PER_NODE: '2(x2)',
  SLURM_PROCID: '3',
  SLURM_LOCALID: '1',
  SLURM_NODEID: '1',
};
const MANY = { RANK_ID: '9', RANK_SIZE: '16' };

test('ranks of several machines meet where the variables of their starter say', async (t) => {
  const each: readonly [string, Environment, string, number][] = [
    ['mindts launch on several machines', { ...MANY, MINDTS_RENDEZVOUS: 'host-0:4000' }, 'host-0', 4000],
    ['by an IPv6 address', { ...MANY, MINDTS_RENDEZVOUS: '[fd00::1]:4000' }, 'fd00::1', 4000],
    ['torchrun', TORCHRUN, 'a', 1234],
    ['PyTorchJob', { RANK: '0', WORLD_SIZE: '2', MASTER_ADDR: 'localhost', MASTER_PORT: '23456' }, 'localhost', 23456],
    ['without a port', { RANK: '0', WORLD_SIZE: '2', MASTER_ADDR: 'a' }, 'a', 29500],
    ['OpenPAI', PAI, '10.0.0.7', 31001],
    ['OpenPAI, a port of our own', { ...PAI, PAI_PORT_LIST_myworker_0_mindts: '31002,31003' }, '10.0.0.7', 31002],
    ['OpenPAI, as the user says', { ...PAI, MASTER_ADDR: 'a', MASTER_PORT: '7' }, 'a', 7],
    [
      'Volcano',
      { VC_TASK_INDEX: '1', VC_WORKER_NUM: '2', VC_WORKER_HOSTS: 'j-worker-0.j,j-worker-1.j' },
      'j-worker-0.j',
      29500,
    ],
    ['ModelArts', { ...MANY, MA_NUM_HOSTS: '2', VC_WORKER_HOSTS: 'w-0.x,w-1.x' }, 'w-0.x', 29500],
    ['Slurm', SRUN, 'gpu03', 10007],
    ['an indexed job', { JOB_COMPLETION_INDEX: '1', WORLD_SIZE: '2', MASTER_ADDR: 'j-0.j' }, 'j-0.j', 29500],
  ];
  for (const [name, env, host, port] of each) t.match(meet(env), { kind: 'network', host, port }, name);
});

test('ranks under mpirun meet through MPI, wherever they run', async (t) => {
  const mpi = { OMPI_COMM_WORLD_RANK: '0', OMPI_COMM_WORLD_SIZE: '2' };
  t.strictSame(meet({ ...mpi, ...PAI, MASTER_ADDR: 'a' }), { kind: 'mpi' });
  const local = { OMPI_COMM_WORLD_LOCAL_RANK: '0', OMPI_COMM_WORLD_LOCAL_SIZE: '2' };
  t.strictSame(meet({ ...mpi, ...local }), { kind: 'mpi' });
});

test('ranks of one machine meet in memory, each job in its own', async (t) => {
  t.strictSame(meet({ RANK_ID: '1', RANK_SIZE: '2', MINDTS_RENDEZVOUS: '/dev/shm/x' }), {
    kind: 'memory',
    path: '/dev/shm/x',
  });
  const torchrun = { ...TORCHRUN, WORLD_SIZE: '2' };
  const srun = {
    ...SRUN,
    SLURM_STEP_NUM_TASKS: '2',
    SLURM_PROCID: '1',
    SLURM_STEP_TASKS_PER_NODE: '2',
    SLURM_NODEID: '0',
  };
  const platform = { RANK_ID: '1', RANK_SIZE: '8', JOB_ID: 'job5' };
  for (const env of [torchrun, srun, platform])
    t.match(path(env), new RegExp(`/mindts-${userInfo().uid}-[0-9a-f]{32}$`));
  t.equal(path({ ...torchrun, RANK: '0', LOCAL_RANK: '0' }), path(torchrun), 'all ranks of one');
  t.equal(path({ ...platform, RANK_ID: '7' }), path(platform));
  t.not(path({ ...torchrun, MASTER_PORT: '1235' }), path(torchrun), 'another port');
  t.not(path({ ...srun, SLURM_STEP_ID: '1' }), path(srun), 'another step');
  t.not(path({ ...platform, JOB_ID: 'job6' }), path(platform), 'another job');
});

test('ranks with nothing else in common meet by the process that started them, whatever stands between', async (t) => {
  const script = join(t.testdir(), 'where.mjs');
  const from = (file: string) => JSON.stringify(join(packageRoot, 'dist', 'sdk', file));
  writeFileSync(
    script,
    `import { currentRank } from ${from('base/rank.js')};
    import { rendezvousOf } from ${from('parallel/rendezvous.js')};
    console.log(rendezvousOf(currentRank()).path);`,
  );
  const job =
    'for i in 0 1 2; do export RANK_ID=$i; if [ $i = 1 ]; then sh -c "$0 $1; true" & else "$0" "$1" & fi; done; wait';
  const paths = (): string[] =>
    execFileSync('bash', ['-c', job, process.execPath, script], {
      encoding: 'utf8',
      env: { PATH: process.env['PATH'], RANK_SIZE: '3' },
    })
      .trim()
      .split('\n');
  const first = paths();
  t.equal(first.length, 3);
  t.strictSame(first, [first[0], first[0], first[0]]);
  t.not(paths()[0], first[0], 'another job of the same user');
});

test('ranks of one job show the same token, and those of another do not', async (t) => {
  t.equal(
    token({ ...TORCHRUN, RANK: '2', LOCAL_RANK: '0', MASTER_ADDR: 'localhost' }),
    token(TORCHRUN),
    'a host by another name',
  );
  t.not(token({ ...TORCHRUN, TORCHELASTIC_RUN_ID: 'b' }), token(TORCHRUN));
  t.not(token({ ...PAI, PAI_JOB_NAME: 'me~other' }), token(PAI));
  t.not(token({ ...SRUN, SLURM_JOB_ID: '40007' }), token(SRUN), 'one port, two jobs');
  const told = { ...TORCHRUN, MINDTS_JOB_TOKEN: 'secret' };
  t.equal(token({ ...PAI, MINDTS_JOB_TOKEN: 'secret' }), token(told));
  t.notMatch(JSON.stringify(meet(told)), 'secret');
});

const VERSION_1 = {
  status: 'completed',
  version: '1.0',
  server_count: '2',
  server_list: [
    { server_id: '10.0.0.2', device: [{ device_id: '0', device_ip: '192.168.0.2', rank_id: '8' }] },
    { server_id: 'rack-1', host_ip: '10.0.0.1', device: [{ device_id: '0', device_ip: '192.168.0.1', rank_id: '0' }] },
  ],
};
const BEFORE = {
  status: 'completed',
  group_count: '1',
  group_list: [{ instance_count: '2', instance_list: [{ server_id: '10.0.0.3' }, { server_id: '10.0.0.4' }] }],
};

test('RANK_TABLE_FILE says on which machine rank 0 is', async (t) => {
  const folder = t.testdir({
    'one.json': JSON.stringify(VERSION_1),
    config: { 'jobstart_hccl.json': JSON.stringify(BEFORE) },
  });
  t.match(meet({ ...MANY, RANK_TABLE_FILE: join(folder, 'one.json') }), { host: '10.0.0.1', port: 29500 });
  t.match(meet({ ...MANY, RANK_TABLE_FILE: join(folder, 'config') }), { host: '10.0.0.3' });
});

test('a rank table that does not help is refused, and says what to do', async (t) => {
  const folder = t.testdir({
    'half.json': '{"status": ',
    'early.json': JSON.stringify({ ...VERSION_1, status: 'initializing' }),
    'empty.json': JSON.stringify({ ...VERSION_1, server_list: [] }),
    'two.json': JSON.stringify(VERSION_1),
  });
  mkdirSync(join(folder, 'config'));
  for (const [name, message] of [
    ['half.json', 'it is not JSON'],
    ['early.json', 'its status is "initializing", not "completed"'],
    ['empty.json', 'it names no servers'],
    ['none.json', 'no such file or folder'],
    ['config', 'no such file or folder'],
  ]) {
    const file = join(folder, name);
    const advice = 'without that variable MASTER_ADDR and MASTER_PORT count';
    t.throws(() => meet({ ...MANY, RANK_TABLE_FILE: file }), {
      constructor: ParallelError,
      code: 'E_RENDEZVOUS',
      message: `RANK_TABLE_FILE ${file}: ${message}; ${advice}`,
    });
  }
  t.throws(() => meet({ RANK_ID: '1', RANK_SIZE: '8', RANK_TABLE_FILE: join(folder, 'two.json') }), {
    code: 'E_RENDEZVOUS',
    message: 'RANK_TABLE_FILE names 2 machines, but 8 of 8 ranks seem to be on this one; set MINDTS_RANKS_PER_NODE',
  });
});

test('where nothing says where to meet, or says it wrongly, the error says what to set', async (t) => {
  for (const [env, message] of [
    [MANY, /^nothing says where the ranks meet of which this is rank 9 of 16; set MASTER_ADDR .* and MASTER_PORT /],
    [{ ...TORCHRUN, MASTER_PORT: '0' }, 'MASTER_PORT: "0" is no port; expected a number from 1 to 65535'],
    [
      { ...MANY, MINDTS_RENDEZVOUS: 'host' },
      'MINDTS_RENDEZVOUS is "host": expected a path that begins with /, or HOST:PORT',
    ],
    [{ ...MANY, MINDTS_RENDEZVOUS: 'host:70000' }, /^MINDTS_RENDEZVOUS: "70000" is no port/],
  ] as const) {
    t.throws(() => meet(env), { constructor: ParallelError, code: 'E_RENDEZVOUS', message });
  }
});

test("the first of Slurm's nodes", async (t) => {
  for (const [list, first] of [
    ['gpu[03-04,7],x', 'gpu03'],
    ['gpu7', 'gpu7'],
    ['a,b', 'a'],
    ['rack[1-2]n[003,5]-ib,c', 'rack1n003-ib'],
    ['n[08]', 'n08'],
  ]) {
    t.equal(firstSlurmNode(list), first);
  }
  t.equal(firstSlurmNode(''), undefined);
});
