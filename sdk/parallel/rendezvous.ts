/** Where the ranks of a job meet, from the variables of whatever started them. */
import { createHash } from 'node:crypto';
import { accessSync, constants } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { ParallelError, systemCode } from '../base/errors.js';
import { type Rank, type Starter, startedAs } from '../base/rank.js';
import { type Environment, paiName, variable, volcanoHosts, volcanoTask } from '../base/rank-variables.js';
import { rankTable } from './rank-table.js';
import { firstSlurmNode } from './slurm-nodes.js';
import { startingProcess } from './starting-process.js';

/** How ranks find one another. */
export type Rendezvous =
  | { readonly kind: 'memory'; readonly path: string }
  | { readonly kind: 'network'; readonly host: string; readonly port: number; readonly token: string }
  | { readonly kind: 'mpi' };

/**
 * Where this job's ranks meet: where `MINDTS_RENDEZVOUS` says; else under mpirun through MPI; else in shared memory, when
 * all are on this machine; else at `MASTER_ADDR` and `MASTER_PORT`, which some starters say in variables of their own.
 *
 * @param rank of more than one
 * @throws ParallelError `E_RENDEZVOUS` when nothing says on which machine rank 0 is, or something says it wrongly
 * @example
 * const env = { RANK: '1', WORLD_SIZE: '2', MASTER_ADDR: 'node-0', MASTER_PORT: '29500' };
 * rendezvousOf(currentRank(env), env).kind; // 'network'
 */
export function rendezvousOf({ id, size, localSize }: Rank, env: Environment = process.env): Rendezvous {
  const { starter } = startedAs(env);
  const told = variable(env, 'MINDTS_RENDEZVOUS');
  if (told?.startsWith('/')) return { kind: 'memory', path: told };
  if (told !== undefined) return network(env, { ...addressIn(told), job: [size] });
  if (starter === 'openmpi') return { kind: 'mpi' };

  const servers = starter === 'rank_id' ? rankTable(env) : undefined;
  if (servers !== undefined && (servers.length === 1) !== (localSize === size)) {
    const seen = `RANK_TABLE_FILE names ${servers.length} machine${servers.length === 1 ? '' : 's'}`;
    throw unknown(`${seen}, but ${localSize} of ${size} ranks seem to be on this one; set MINDTS_RANKS_PER_NODE`);
  }
  if (localSize === size) return { kind: 'memory', path: sharedPath(env, starter, size) };

  const host = variable(env, 'MASTER_ADDR') ?? servers?.[0] ?? firstHost(env, starter);
  if (host === undefined) {
    const advice = 'set MASTER_ADDR to the machine of rank 0, and MASTER_PORT to a free port there';
    throw unknown(`nothing says where the ranks meet of which this is rank ${id} of ${size}; ${advice}`);
  }
  const port = portIn(variable(env, 'MASTER_PORT') ?? usualPort(env, starter) ?? USUAL_PORT, 'MASTER_PORT');
  return network(env, { host, port, job: [size, starter, ...jobOf(env, starter)] });
}

/** What PyTorch's ranks meet at, so that a network's rules may know it. */
const USUAL_PORT = '29500';

/** What is the same on all ranks of a job and, with luck, on none of another. `MASTER_ADDR` is not: a host calls itself `localhost`. */
const JOB_VARIABLES: Readonly<Record<Starter, readonly string[]>> = {
  rank_id: ['JOB_ID', 'MASTER_PORT'],
  openmpi: [],
  torchrun: ['TORCHELASTIC_RUN_ID', 'MASTER_PORT'],
  slurm: ['SLURM_JOB_ID', 'SLURM_STEP_ID'],
  pai: ['PAI_JOB_NAME', 'PAI_CURRENT_TASK_ROLE_NAME'],
  volcano: ['VC_WORKER_HOSTS', 'MASTER_PORT'],
  kubernetes: ['MASTER_PORT'],
};

function jobOf(env: Environment, starter: Starter | undefined): readonly string[] {
  const names = starter === undefined ? [] : JOB_VARIABLES[starter];
  return names.flatMap((name) => variable(env, name) ?? []);
}

function network(
  env: Environment,
  { host, port, job }: { readonly host: string; readonly port: number; readonly job: readonly unknown[] },
): Rendezvous {
  // What a rank shows the others, so that two jobs which come to one port by mistake are told apart.
  const told = variable(env, 'MINDTS_JOB_TOKEN');
  return { kind: 'network', host, port, token: hash(told === undefined ? [port, ...job] : [told]) };
}

/** A file's path that the ranks of a job have in common, and other jobs of this machine have not. */
function sharedPath(env: Environment, starter: Starter | undefined, size: number): string {
  const job = jobOf(env, starter);
  const mark = job.length > 0 ? job : [startingProcess(env, starter === 'torchrun' ? 'RANK' : 'RANK_ID')];
  const { uid } = userInfo();
  return join(sharedFolder(), `mindts-${uid}-${hash([starter, size, ...mark])}`);
}

/** Where ranks of one machine meet: memory, on Linux. */
export function sharedFolder(): string {
  try {
    accessSync('/dev/shm', constants.W_OK);
    return '/dev/shm';
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return tmpdir();
  }
}

function firstHost(env: Environment, starter: Starter | undefined): string | undefined {
  switch (starter) {
    case 'pai': {
      const name = paiName(env, (role) => `PAI_HOST_IP_${role}_0`);
      return name === undefined ? undefined : variable(env, name);
    }
    case 'slurm':
      return firstSlurmNode(variable(env, 'SLURM_STEP_NODELIST') ?? '');
    case 'rank_id':
    case 'volcano': {
      const task = volcanoTask(env);
      return task === undefined ? undefined : volcanoHosts(env, task).at(0);
    }
    default:
      return undefined;
  }
}

function usualPort(env: Environment, starter: Starter | undefined): string | undefined {
  if (starter === 'pai') {
    const labels = ['mindts', 'http'].flatMap(
      (label) => paiName(env, (role) => `PAI_PORT_LIST_${role}_0_${label}`) ?? [],
    );
    return labels.length === 0 ? undefined : variable(env, labels[0])?.split(',')[0];
  }
  if (starter !== 'slurm') return undefined;
  // Of one node two jobs, or two steps of a job, have ports of their own; below those that the system gives out itself.
  const job = Number(variable(env, 'SLURM_JOB_ID') ?? 0) + 1009 * Number(variable(env, 'SLURM_STEP_ID') ?? 0);
  return Number.isSafeInteger(job) ? String(10_000 + (job % 20_000)) : undefined;
}

function addressIn(text: string): { host: string; port: number } {
  const match = /^(?:\[([^\]\s]+)\]|([^:\s[\]]+)):(\d+)$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  if (match === null || host === undefined) {
    throw unknown(`MINDTS_RENDEZVOUS is ${JSON.stringify(text)}: expected a path that begins with /, or HOST:PORT`);
  }
  return { host, port: portIn(match[3], 'MINDTS_RENDEZVOUS') };
}

function portIn(text: string, name: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port >= 1 && port <= 65_535) return port;
  throw unknown(`${name}: ${JSON.stringify(text)} is no port; expected a number from 1 to 65535`);
}

function hash(parts: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 32);
}

function unknown(message: string): ParallelError {
  return new ParallelError('E_RENDEZVOUS', message);
}
