import { test } from 'tap';
import { ParallelError } from '../../sdk/base/errors.js';
import { currentRank, rankVariables, startedAs } from '../../sdk/base/rank.js';

const ALONE = { id: 0, size: 1, local: 0, localSize: 1 };

const MPI = {
  OMPI_COMM_WORLD_RANK: '3',
  OMPI_COMM_WORLD_SIZE: '4',
  OMPI_COMM_WORLD_LOCAL_RANK: '1',
  OMPI_COMM_WORLD_LOCAL_SIZE: '2',
};
const TORCHRUN = { RANK: '5', WORLD_SIZE: '8', LOCAL_RANK: '1', LOCAL_WORLD_SIZE: '4' };
const SRUN = {
  SLURM_PROCID: '6',
  SLURM_STEP_NUM_TASKS: '7',
  SLURM_LOCALID: '0',
  SLURM_NODEID: '3',
  SLURM_STEP_TASKS_PER_NODE: '2(x3),1',
};
const PAI = {
  PAI_CURRENT_TASK_ROLE_NAME: 'worker',
  PAI_CURRENT_TASK_ROLE_CURRENT_TASK_INDEX: '1',
  PAI_TASK_ROLE_TASK_COUNT_worker: '2',
  PAI_TASK_ROLE_TASK_COUNT_ps: '5',
};
const VOLCANO = { VC_TASK_INDEX: '1', VC_WORKER_NUM: '3' };
const INDEXED = { JOB_COMPLETION_INDEX: '2', WORLD_SIZE: '3' };

test('a process is a rank by the variables of whatever started it', async (t) => {
  const each: readonly [string, Record<string, string>, number, number, number, number][] = [
    ['mindts launch', { RANK_ID: '1', RANK_SIZE: '2', LOCAL_RANK: '1', LOCAL_WORLD_SIZE: '2' }, 1, 2, 1, 2],
    ['a platform, one machine', { RANK_ID: '3', RANK_SIZE: '4', ASCEND_DEVICE_ID: '7' }, 3, 4, 3, 4],
    ['a platform, machines of eight', { RANK_ID: '9', RANK_SIZE: '16' }, 9, 16, 1, 8],
    ['a platform, a last machine of four', { RANK_ID: '9', RANK_SIZE: '12' }, 9, 12, 1, 4],
    ['a platform, two machines of four', { RANK_ID: '5', RANK_SIZE: '8', MA_NUM_HOSTS: '2' }, 5, 8, 1, 4],
    ['a platform, a number of machines that is none', { RANK_ID: '1', RANK_SIZE: '2', MA_NUM_HOSTS: '-1' }, 1, 2, 1, 2],
    ['srun, no tasks on a node', { ...SRUN, SLURM_STEP_TASKS_PER_NODE: '0', SLURM_NODEID: '0' }, 6, 7, 0, 1],
    ['a platform, as the user says', { RANK_ID: '5', RANK_SIZE: '6', MINDTS_RANKS_PER_NODE: '2' }, 5, 6, 1, 2],
    ['a platform, the place alone', { RANK_ID: '9', RANK_SIZE: '12', LOCAL_RANK: '1' }, 9, 12, 1, 4],
    ['mpirun', MPI, 3, 4, 1, 2],
    ['torchrun', TORCHRUN, 5, 8, 1, 4],
    ['PyTorchJob', { RANK: '2', WORLD_SIZE: '3' }, 2, 3, 0, 1],
    ['srun', SRUN, 6, 7, 0, 1],
    ['srun, an earlier node', { ...SRUN, SLURM_PROCID: '1', SLURM_LOCALID: '1', SLURM_NODEID: '0' }, 1, 7, 1, 2],
    ['OpenPAI', PAI, 1, 2, 0, 1],
    [
      'OpenPAI, a role in its second spelling',
      {
        ...PAI,
        PAI_CURRENT_TASK_ROLE_NAME: 'My_Role',
        PAI_TASK_ROLE_TASK_COUNT_worker: '',
        PAI_TASK_ROLE_TASK_COUNT_myrole: '2',
      },
      ...([1, 2, 0, 1] as const),
    ],
    ['Volcano', VOLCANO, 1, 3, 0, 1],
    ['ModelArts, machines alone', { VC_TASK_INDEX: '1', MA_NUM_HOSTS: '2' }, 1, 2, 0, 1],
    [
      'Volcano, a task beside others',
      {
        VC_TASK_INDEX: '0',
        VC_PS_NUM: '2',
        VC_PS_HOSTS: 'j-ps-0.j,j-ps-1.j',
        VC_WORKER_NUM: '3',
        VC_WORKER_HOSTS: 'j-worker-0.j,j-worker-1.j,j-worker-2.j',
        HOSTNAME: 'j-ps-0',
      },
      ...([0, 2, 0, 1] as const),
    ],
    ['an indexed job', INDEXED, 2, 3, 0, 1],
  ];
  for (const [name, env, id, size, local, localSize] of each) {
    t.strictSame(currentRank(env), { id, size, local, localSize }, name);
  }
});

test('a process is alone where nothing says that there are others', async (t) => {
  const each: readonly [string, Record<string, string>][] = [
    ['nothing', {}],
    ['a platform, one card', { RANK_ID: '0', RANK_SIZE: '1' }],
    ['empty variables', { RANK_ID: '', RANK_SIZE: ' ', WORLD_SIZE: '' }],
    ['a batch script of Slurm', { SLURM_PROCID: '0', SLURM_NTASKS: '4', SLURM_LOCALID: '0', SLURM_NODEID: '0' }],
    ['an interactive step of Slurm', { SLURM_PROCID: '0', SLURM_NTASKS: '4', SLURM_STEP_NUM_TASKS: '1' }],
    [
      'OpenPAI, a role of one task',
      { ...PAI, PAI_CURRENT_TASK_ROLE_CURRENT_TASK_INDEX: '0', PAI_TASK_ROLE_TASK_COUNT_worker: '1' },
    ],
    ['Volcano, one of one', { VC_TASK_INDEX: '0', VC_WORKER_NUM: '1', MA_NUM_HOSTS: '1' }],
    ['Volcano, tasks among which it cannot find its own', { VC_TASK_INDEX: '0', VC_PS_NUM: '2', VC_WORKER_NUM: '3' }],
    ['an indexed job that does not say how many', { JOB_COMPLETION_INDEX: '2' }],
    ['a job of one without a number', { WORLD_SIZE: '1' }],
    ['whoever asks to be', { ...MPI, ...PAI, RANK_ID: 'x', MINDTS_RANKS: 'off' }],
  ];
  for (const [name, env] of each) t.strictSame(currentRank(env), ALONE, name);
});

test('of several starters the first that started several counts', async (t) => {
  const env: Record<string, string> = {
    ...MPI,
    ...SRUN,
    ...PAI,
    ...VOLCANO,
    RANK: '1',
    WORLD_SIZE: '2',
    RANK_ID: '1',
    RANK_SIZE: '2',
  };
  for (const [starter, ...names] of [
    ['rank_id', 'RANK_SIZE'],
    ['openmpi', 'OMPI_COMM_WORLD_SIZE'],
    ['torchrun', 'RANK', 'WORLD_SIZE'],
    ['slurm', 'SLURM_STEP_NUM_TASKS'],
    ['pai', 'PAI_TASK_ROLE_TASK_COUNT_worker'],
    ['volcano', 'VC_WORKER_NUM'],
  ]) {
    t.equal(startedAs(env).starter, starter);
    for (const name of names) delete env[name];
  }
  t.equal(startedAs(INDEXED).starter, 'kubernetes');
  t.equal(startedAs({ ...MPI, RANK_ID: '0', RANK_SIZE: '1' }).starter, 'openmpi', 'mpirun on a platform of one card');
  t.equal(startedAs({ ...MPI, RANK_ID: '0' }).starter, 'openmpi', 'half of a pair beside a whole one');
});

test('variables that contradict each other are refused, with their values', async (t) => {
  const each: readonly [Record<string, string>, string | RegExp][] = [
    [{ RANK_ID: '8', RANK_SIZE: '8' }, 'RANK_ID is 8: expected a whole number from 0 to 7, as RANK_SIZE is 8'],
    [{ RANK_ID: '-1', RANK_SIZE: '8' }, 'RANK_ID is -1: expected a whole number from 0 to 7, as RANK_SIZE is 8'],
    [{ RANK_ID: '0', RANK_SIZE: '0' }, 'RANK_SIZE is 0: expected a whole number of at least 1'],
    [{ RANK_ID: '0', RANK_SIZE: 'two\n' }, 'RANK_SIZE is two: expected a whole number of at least 1'],
    [{ RANK: '0', WORLD_SIZE: '${N}' }, 'WORLD_SIZE is "${N}": expected a whole number of at least 1'],
    [
      { RANK: '1', WORLD_SIZE: '2', LOCAL_RANK: '1' },
      /^LOCAL_RANK is 1: expected a whole number from 0 to 0, as LOCAL_WORLD_SIZE is not set$/,
    ],
    [
      { ...TORCHRUN, LOCAL_RANK: '4' },
      'LOCAL_RANK is 4: expected a whole number from 0 to 3, as LOCAL_WORLD_SIZE is 4',
    ],
    [{ ...TORCHRUN, RANK: '0' }, 'LOCAL_RANK is 1: expected a whole number from 0 to 0, as RANK is 0'],
    [
      { ...TORCHRUN, LOCAL_WORLD_SIZE: '9' },
      'LOCAL_WORLD_SIZE is 9: expected a whole number from 1 to 8, as WORLD_SIZE is 8',
    ],
    [{ ...PAI, PAI_TASK_ROLE_TASK_COUNT_worker: '1.5' }, /^PAI_TASK_ROLE_TASK_COUNT_worker is 1\.5: expected/],
    [
      { RANK_ID: '3' },
      'RANK_ID is 3, but RANK_SIZE is not set: set both, or MINDTS_RANKS=off for a process that runs alone',
    ],
    [{ WORLD_SIZE: '3' }, /^WORLD_SIZE is 3, but RANK is not set/],
    [{ MINDTS_RANKS: '1' }, 'MINDTS_RANKS is 1: expected off, which lets this process run alone'],
    [
      { RANK_ID: '0', RANK_SIZE: '2', MINDTS_RANKS_PER_NODE: '0' },
      /^MINDTS_RANKS_PER_NODE is 0: expected a whole number of at least 1$/,
    ],
  ];
  for (const [env, message] of each) {
    t.throws(() => currentRank(env), { constructor: ParallelError, code: 'E_RANK', message }, String(message));
  }
});

test('without the variables of ranks a process is alone, whoever started it', async (t) => {
  const env: Record<string, string> = {
    ...MPI,
    ...TORCHRUN,
    ...SRUN,
    ...PAI,
    ...VOLCANO,
    ...INDEXED,
    RANK_ID: '0',
    RANK_SIZE: '2',
  };
  const names = rankVariables(env);
  t.strictSame(currentRank(Object.fromEntries(Object.entries(env).filter(([name]) => !names.includes(name)))), ALONE);
});
