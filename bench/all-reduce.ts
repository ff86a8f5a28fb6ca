/**
 * `node dist/bench/all-reduce.js`: how long two ranks of this machine take to add up LeNet-5's gradients, by each way there is. What
 * is measured is a call from TypeScript; the training loop, which calls from native code, saves the way there and back.
 */
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import type { Rendezvous } from '../sdk/parallel/rendezvous.js';
import { startChild } from './command.js';

const RANKS = 2;
const RANK = fileURLToPath(new URL('./all-reduce-rank.js', import.meta.url));

/** Ways for ranks to exchange numbers. */
export const KINDS: readonly Rendezvous['kind'][] = ['memory', 'network', 'mpi'];

/** The median time of an all-reduce of 61 706 numbers, in microseconds; undefined where there is no `mpirun`. */
export async function allReduceMicroseconds(kind: Rendezvous['kind']): Promise<number | undefined> {
  const isMissing = kind === 'mpi' && spawnSync('mpirun', ['--version']).status !== 0;
  return isMissing ? undefined : Number(await outputOf(commandsOf(await placeOf(kind))));
}

/** What starts all ranks; rank 0 is in the first. */
function commandsOf(place: Rendezvous): readonly (readonly string[])[] {
  const rank = [process.execPath, RANK, JSON.stringify(place)];
  if (place.kind === 'mpi') {
    return [['mpirun', '--allow-run-as-root', '--oversubscribe', '-n', String(RANKS), ...rank]];
  }
  return Array.from({ length: RANKS }, (_, id) => [...rank, String(id), String(RANKS)]);
}

async function outputOf(commands: readonly (readonly string[])[]): Promise<string> {
  const children = commands.map(([command, ...args]) =>
    startChild(command, args, { stdio: ['ignore', 'pipe', 'inherit'] }),
  );
  const ended = children.map(async (child) => {
    const [code] = await once(child, 'close');
    if (code !== 0) throw new Error(`a rank ended with exit code ${code}`);
  });
  const [{ stdout }] = children;
  const [output] = await Promise.all([stdout === null ? '' : text(stdout), ...ended]);
  return output;
}

async function placeOf(kind: Rendezvous['kind']): Promise<Rendezvous> {
  switch (kind) {
    case 'memory':
      return { kind, path: join(tmpdir(), `mindts-bench-${process.pid}`) };
    case 'network':
      return { kind, host: '127.0.0.1', port: await freePort(), token: 'bench' };
    case 'mpi':
      return { kind };
    default:
      throw kind satisfies never;
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0);
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const kind of KINDS) {
    const microseconds = await allReduceMicroseconds(kind);
    console.log(
      `${kind.padEnd(8)} ${microseconds === undefined ? 'mpirun not installed' : `${microseconds.toFixed(0)} µs`}`,
    );
  }
}
