/** Ranks as processes of their own, which do what they are told, and can be killed. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { packageRoot } from '../../sdk/base/package.js';
import type { Rendezvous } from '../../sdk/parallel/rendezvous.js';

/** As the build has compiled it. */
const RANK = join(packageRoot, 'dist/test/parallel/communicator-child.js');

const Answer = z.object({
  id: z.number(),
  /** What an order gave. */
  value: z.unknown().optional(),
  /** Of a rank that has joined. */
  pid: z.number().optional(),
  code: z.string().optional(),
  message: z.string().optional(),
});

/** What a rank says. */
export type Answer = z.infer<typeof Answer>;

/** What a rank is to do: see communicator-child.ts. */
export type Order = { readonly kind: string } & Readonly<Record<string, unknown>>;

/** One of a job's ranks. */
export interface RankProcess {
  /** The next thing that it says. */
  next(): Promise<Answer>;
  /** Tells it to do something; what it says then. */
  tell(order: Order): Promise<Answer>;
  kill(signal: NodeJS.Signals): void;
  readonly child: ChildProcess;
}

interface Job {
  readonly id: number;
  readonly size: number;
  readonly rendezvous: Rendezvous;
  readonly seconds?: number;
  /** What starts the process, before Node's own path. */
  readonly runner?: readonly string[];
}

/** What a test has that is to be told of its end. */
interface Scope {
  teardown(end: () => void): void;
}

/** Starts a rank; it says first whether it has joined. It does not outlive the test. */
export function startRank(t: Scope, { runner = [], seconds = 60, ...job }: Job): RankProcess {
  const [command, ...args] = [...runner, process.execPath, RANK, JSON.stringify({ ...job, seconds })];
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  t.teardown(() => child.kill('SIGKILL'));
  // Whoever was killed takes no more orders.
  child.stdin.on('error', () => undefined);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  async function next(): Promise<Answer> {
    const line = await lines.next();
    if (line.done) throw new Error(`rank ${job.id} ended without a word`);
    return Answer.parse(JSON.parse(line.value));
  }
  return {
    child,
    next,
    tell(order) {
      child.stdin.write(`${JSON.stringify(order)}\n`);
      return next();
    },
    kill: (signal) => void child.kill(signal),
  };
}

/** Starts all ranks of a job, rank 0 last, and waits until they have joined. */
export async function startJob(t: Scope, size: number, rendezvous: Rendezvous): Promise<readonly RankProcess[]> {
  const ids = Array.from({ length: size }, (_, i) => i);
  const ranks = ids.toReversed().map((id) => startRank(t, { id, size, rendezvous }));
  for (const { message } of await Promise.all(ranks.map((rank) => rank.next()))) {
    if (message !== undefined) throw new Error(message);
  }
  return ranks.toReversed();
}

/** Tells all ranks the same; what each says, without its number. */
export async function tellAll(ranks: readonly RankProcess[], order: Order): Promise<readonly unknown[]> {
  const answers = await Promise.all(ranks.map((rank) => rank.tell(order)));
  return answers.map(({ value, message }) => value ?? message);
}

/** A place on this machine that no other test has. */
export async function freePlace(): Promise<{ kind: 'network'; host: string; port: number; token: string }> {
  const server = createServer().listen(0);
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return { kind: 'network', host: '127.0.0.1', port: address.port, token: 'a secret of the job' };
}

/** What `mpirun` wrote, and how it ended. */
export interface MpiJob {
  /** As they come from all ranks. */
  readonly answers: AsyncGenerator<Answer, void>;
  readonly ended: Promise<number | null>;
}

/** How to start ranks under `mpirun`. */
export interface MpiOptions {
  /** Of mpirun. */
  readonly args?: readonly string[];
  /** What starts mpirun. */
  readonly runner?: readonly string[];
  /** As how many the ranks take themselves, if not what mpirun says. */
  readonly ranks?: number;
}

/** Starts ranks under `mpirun`, which end with their orders, a list for each rank, or when one of these fails. */
export function startMpi(
  t: Scope,
  orders: readonly (readonly Order[])[],
  { args = [], runner = [], ranks }: MpiOptions = {},
): MpiJob {
  const job = JSON.stringify({ size: ranks, rendezvous: { kind: 'mpi' }, seconds: 60, orders });
  const mpirun = [...runner, 'mpirun', '--allow-run-as-root', '--oversubscribe', ...args, '-n', String(orders.length)];
  const [command, ...rest] = [...mpirun, process.execPath, RANK, job];
  const child = spawn(command, rest, { stdio: ['ignore', 'pipe', 'ignore'] });
  t.teardown(() => child.kill('SIGTERM'));
  async function* answers(): AsyncGenerator<Answer, void> {
    for await (const line of createInterface({ input: child.stdout })) yield Answer.parse(JSON.parse(line));
  }
  return { answers: answers(), ended: once(child, 'close').then(([code]) => Number(code)) };
}
