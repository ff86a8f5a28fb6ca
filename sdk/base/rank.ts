/** Which of a job's processes this one is, from the variables of whatever started it. */
import { availableParallelism } from 'node:os';
import { ParallelError } from './errors.js';
import { type Environment, paiName, slurmCounts, variable, volcanoTask } from './rank-variables.js';

/** One of the cooperating processes of a job. */
export interface Rank {
  /** 0 to `size` − 1. */
  readonly id: number;
  /** Processes of the job. */
  readonly size: number;
  /** 0 to `localSize` − 1, among those of this machine. */
  readonly local: number;
  /** Processes of the job on this machine. */
  readonly localSize: number;
}

/** Whose variables say that this process is one of several. */
export type Starter = 'rank_id' | 'openmpi' | 'torchrun' | 'slurm' | 'pai' | 'volcano' | 'kubernetes';

/**
 * This process's rank; rank 0 of 1 where nothing says otherwise, and where `MINDTS_RANKS` is `off`.
 *
 * @throws ParallelError `E_RANK` when the variables contradict each other
 * @example
 * currentRank({ OMPI_COMM_WORLD_RANK: '3', OMPI_COMM_WORLD_SIZE: '4' }).id; // 3
 */
export function currentRank(env: Environment = process.env): Rank {
  return startedAs(env).rank;
}

/**
 * This process's rank, and who says so: the first of the known starters whose variables speak of more than one process.
 * That a starter has but one (`RANK_SIZE=1`, a task role of one task, `srun -n 1`) says nothing of the others.
 *
 * @throws ParallelError `E_RANK` as `currentRank` does
 * @example
 * startedAs({ RANK_ID: '0', RANK_SIZE: '1', RANK: '1', WORLD_SIZE: '2' }).starter; // 'torchrun'
 */
export function startedAs(env: Environment = process.env): {
  readonly rank: Rank;
  readonly starter: Starter | undefined;
} {
  if (isOff(env)) return ALONE;
  let incomplete: ParallelError | undefined;
  for (const row of STARTERS) {
    const [id, size] = [nameIn(env, row.id), nameIn(env, row.size)];
    if (id === undefined || size === undefined) {
      incomplete ??= row.isPair ? halfOf(env, row) : undefined;
      continue;
    }
    const ranks = wholeNumber(env, size, { least: 1 });
    const rank = wholeNumber(env, id, { below: ranks, what: size });
    if (ranks > 1) return { starter: row.starter, rank: { id: rank, size: ranks, ...placeOf(env, row, rank, ranks) } };
  }
  if (incomplete !== undefined) throw incomplete;
  return ALONE;
}

/**
 * Processors for each rank of this machine, at least 1.
 *
 * @throws ParallelError `E_RANK` as `currentRank` does
 */
export function processorsPerRank(): number {
  return Math.max(1, Math.floor(availableParallelism() / currentRank().localSize));
}

/** Every variable by which `startedAs` knows a rank: what starts ranks of its own takes them out of their environment. */
export function rankVariables(env: Environment = process.env): readonly string[] {
  const own = ['MINDTS_RANKS', 'MINDTS_RANKS_PER_NODE', 'SLURM_STEP_TASKS_PER_NODE'];
  return [...own, ...STARTERS.flatMap(({ id, size, local, localSize }) => [id, size, local, localSize])].flatMap(
    (name) => (typeof name === 'function' ? name(env) : name) ?? [],
  );
}

/** A variable's name, which may depend on others. */
type Name = string | ((env: Environment) => string | undefined);

interface Row {
  readonly starter: Starter;
  readonly id: Name;
  readonly size: Name;
  readonly local?: string;
  readonly localSize?: string;
  /** Whether one of `id` and `size` without the other is a mistake; else they are another's, and mean nothing. */
  readonly isPair?: boolean;
  /** Ranks on this machine where no variable says so; default 1, a container or a machine for each. */
  readonly perMachine?: (env: Environment, size: number) => number | undefined;
}

// In the order in which they are asked: who starts processes inside what another has started stands before it.
const STARTERS: readonly Row[] = [
  // `mindts launch`, ModelArts, Qizhi.
  {
    starter: 'rank_id',
    id: 'RANK_ID',
    size: 'RANK_SIZE',
    local: 'LOCAL_RANK',
    localSize: 'LOCAL_WORLD_SIZE',
    isPair: true,
    perMachine: ranksPerMachine,
  },
  {
    starter: 'openmpi',
    id: 'OMPI_COMM_WORLD_RANK',
    size: 'OMPI_COMM_WORLD_SIZE',
    local: 'OMPI_COMM_WORLD_LOCAL_RANK',
    localSize: 'OMPI_COMM_WORLD_LOCAL_SIZE',
    isPair: true,
  },
  // torchrun, and Kubernetes' PyTorchJob.
  {
    starter: 'torchrun',
    id: 'RANK',
    size: 'WORLD_SIZE',
    local: 'LOCAL_RANK',
    localSize: 'LOCAL_WORLD_SIZE',
    isPair: true,
  },
  // A batch script has SLURM_PROCID and SLURM_NTASKS too, though it is alone; these of a step only srun sets.
  {
    starter: 'slurm',
    id: 'SLURM_PROCID',
    size: 'SLURM_STEP_NUM_TASKS',
    local: 'SLURM_LOCALID',
    // A count of none, as for a node that this process cannot be on, says nothing.
    perMachine: (env) =>
      slurmCounts(variable(env, 'SLURM_STEP_TASKS_PER_NODE') ?? '').at(Number(env['SLURM_NODEID'] ?? 0)) || undefined,
  },
  {
    starter: 'pai',
    id: 'PAI_CURRENT_TASK_ROLE_CURRENT_TASK_INDEX',
    size: (env) => paiName(env, (role) => `PAI_TASK_ROLE_TASK_COUNT_${role}`),
  },
  // Volcano, and ModelArts, whose jobs have one task.
  {
    starter: 'volcano',
    id: 'VC_TASK_INDEX',
    size: (env) => {
      const task = volcanoTask(env);
      return task === undefined ? 'MA_NUM_HOSTS' : `VC_${task}_NUM`;
    },
  },
  // An indexed job, whose manifest sets WORLD_SIZE.
  { starter: 'kubernetes', id: 'JOB_COMPLETION_INDEX', size: 'WORLD_SIZE' },
];

const ALONE = { rank: { id: 0, size: 1, local: 0, localSize: 1 }, starter: undefined };

/** Ascend machines have eight devices, and a platform starts a rank for each. */
const USUAL_PER_MACHINE = 8;

function isOff(env: Environment): boolean {
  const value = variable(env, 'MINDTS_RANKS');
  if (value === undefined || value === 'off') return value === 'off';
  throw new ParallelError(
    'E_RANK',
    `MINDTS_RANKS is ${quoted(value)}: expected off, which lets this process run alone`,
  );
}

function nameIn(env: Environment, name: Name): string | undefined {
  const found = typeof name === 'function' ? name(env) : name;
  return found !== undefined && variable(env, found) !== undefined ? found : undefined;
}

function halfOf(env: Environment, { id, size }: Row): ParallelError | undefined {
  const [there, absent] = nameIn(env, id) === undefined ? [size, id] : [id, size];
  if (typeof there === 'function' || typeof absent === 'function') return undefined;
  const value = variable(env, there);
  // A job of one process needs no number.
  if (value === undefined || (there === size && value === '1')) return undefined;
  const advice = `set both, or MINDTS_RANKS=off for a process that runs alone`;
  return new ParallelError('E_RANK', `${there} is ${quoted(value)}, but ${absent} is not set: ${advice}`);
}

function placeOf(env: Environment, row: Row, id: number, size: number): Pick<Rank, 'local' | 'localSize'> {
  const given = row.localSize === undefined ? undefined : nameIn(env, row.localSize);
  const perMachine =
    given === undefined
      ? (row.perMachine?.(env, size) ?? 1)
      : wholeNumber(env, given, { least: 1, most: size, what: nameIn(env, row.size) });
  const name = row.local === undefined ? undefined : nameIn(env, row.local);
  if (name === undefined) {
    const local = id % perMachine;
    return { local, localSize: Math.min(perMachine, size - (id - local)) };
  }
  // Of a machine's ranks the one with the place n has n before it.
  const isEarly = id < perMachine - 1;
  const below = isEarly ? id + 1 : perMachine;
  const local = wholeNumber(env, name, { below, what: isEarly ? nameIn(env, row.id) : (given ?? row.localSize) });
  return { local, localSize: given === undefined ? Math.min(perMachine, size - (id - local)) : perMachine };
}

function ranksPerMachine(env: Environment, size: number): number {
  if (variable(env, 'MINDTS_RANKS_PER_NODE') !== undefined)
    return wholeNumber(env, 'MINDTS_RANKS_PER_NODE', { least: 1 });
  const machines = Number(variable(env, 'MA_NUM_HOSTS') ?? Number.NaN);
  return machines >= 1 && size % machines === 0 ? size / machines : USUAL_PER_MACHINE;
}

/** Reads a variable that is set. `what`: the variable that a limit comes from. */
function wholeNumber(
  env: Environment,
  name: string,
  { least = 0, most, below, what }: { least?: number; most?: number; below?: number; what?: string | undefined },
): number {
  const text = variable(env, name) ?? '';
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  const last = below === undefined ? most : below - 1;
  if (value >= least && (last === undefined || value <= last)) return value;
  const range = last === undefined ? ` of at least ${least}` : ` from ${least} to ${last}`;
  const limit =
    what === undefined
      ? ''
      : `, as ${what} ${variable(env, what) === undefined ? 'is not set' : `is ${quoted(variable(env, what) ?? '')}`}`;
  throw new ParallelError('E_RANK', `${name} is ${quoted(text)}: expected a whole number${range}${limit}`);
}

function quoted(value: string): string {
  return /^[\w.-]{1,40}$/.test(value) ? value : JSON.stringify(value.slice(0, 40));
}
