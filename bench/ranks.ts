/** Several ranks beside one: how much faster, how long an exchange takes, whether the losses are the same. PyTorch's are the peer. */
import { spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { packageRoot } from '../sdk/base/package.js';
import type { Rendezvous } from '../sdk/parallel/rendezvous.js';
import { allReduceMicroseconds } from './all-reduce.js';
import type { Bench, Figure } from './figures.js';
import { median, medianOf } from './measure.js';
import { torchPython } from './peer.js';
import type { Measurement } from './report.js';

const LOSSES = join(packageRoot, 'dist/bench/ranks-losses.js');
const COMMAND = join(packageRoot, 'dist/sdk/cli/mindts.js');
const SCRIPT = join(packageRoot, 'dist/scripts/train.js');

/** What starts two ranks, by how they then exchange gradients. */
const STARTERS = {
  memory: [process.execPath, COMMAND, 'launch', '--nproc', '2', 'train'],
  mpi: ['mpirun', '--allow-run-as-root', '-n', '2', process.execPath, SCRIPT],
} as const;

const ALONE = [process.execPath, SCRIPT];

export const rankFigures: Readonly<Record<string, Figure>> = {
  ranks_memory: {
    title: 'two ranks of one thread beside one, batch 64 each, in shared memory',
    unit: '×',
    target: { is: '≥', limit: 1.8 },
    measure: (bench) => speedUp(bench, 'memory'),
  },
  ranks_mpi: {
    title: 'the same under mpirun',
    unit: '×',
    target: { is: '≥', limit: 1.7 },
    measure: (bench) => speedUp(bench, 'mpi'),
  },
  all_reduce_memory: {
    title: 'all-reduce of 61 706 numbers, 2 ranks, in shared memory, called from TypeScript',
    unit: 'µs',
    target: { is: '≤', limit: 60 },
    measure: (bench) => allReduce(bench, 'memory'),
  },
  all_reduce_mpi: {
    title: 'the same through Open MPI',
    unit: 'µs',
    target: { is: '≤', limit: 60 },
    measure: (bench) => allReduce(bench, 'mpi'),
  },
  all_reduce_network: {
    title: 'the same through TCP on this machine',
    unit: 'µs',
    measure: (bench) => allReduce(bench, 'network'),
  },
  ranks_losses: {
    title: 'two ranks of 16 images beside one of 32: the largest relative difference of a loss in 200 steps',
    unit: '',
    target: { is: '≤', limit: 1e-5 },
    async measure({ dataFolder }) {
      const launched = [process.execPath, COMMAND, 'launch', '--nproc', '2', LOSSES, dataFolder, '16'];
      const [one, two] = [[process.execPath, LOSSES, dataFolder, '32'], launched].map((command) =>
        z.array(z.number()).parse(JSON.parse(outputOf(command))),
      );
      return { value: Math.max(...one.map((loss, i) => Math.abs(loss - two[i]) / Math.abs(loss))) };
    },
  },
};

async function speedUp(bench: Bench, starter: keyof typeof STARTERS): Promise<Measurement> {
  const speeds: number[] = [];
  const value = await medianOf(bench.repeats, async () => {
    const one = await imagesPerSecond(bench, ALONE);
    const two = await imagesPerSecond(bench, STARTERS[starter]);
    speeds.push(two);
    return two / one;
  });
  const note = `${Math.round(median(speeds))} images/s`;
  const [one, two] = [torch(bench, 1), torch(bench, 2)];
  if (one === undefined || two === undefined) return { value, note };
  const peer = two.imagesPerSecond / one.imagesPerSecond;
  return { value, peer, note: `${note}; PyTorch ${one.torch} over gloo: ${Math.round(two.imagesPerSecond)} images/s` };
}

async function allReduce(bench: Bench, kind: Rendezvous['kind']): Promise<Measurement> {
  const value = await allReduceMicroseconds(kind);
  if (value === undefined) throw new Error('mpirun is not installed (Debian: apt-get install openmpi-bin)');
  const peer = torch(bench, 2);
  return { value, ...(peer && { peer: peer.microseconds, note: `beside PyTorch ${peer.torch} over gloo` }) };
}

/** The middle of some epochs' speeds. */
async function imagesPerSecond({ folder, zip }: Bench, command: readonly string[]): Promise<number> {
  const out = join(folder, 'ranks');
  outputOf([
    ...command,
    '--data_url',
    zip,
    '--train_url',
    out,
    '--epoch_size',
    '5',
    '--batch_size',
    '64',
    '--threads',
    '1',
  ]);
  const history = z.object({ epochs: z.array(z.object({ imagesPerSecond: z.number() })) });
  const { epochs } = history.parse(JSON.parse(await readFile(join(out, 'history.json'), 'utf8')));
  return median(epochs.map((epoch) => epoch.imagesPerSecond));
}

const Torch = z.object({ torch: z.string(), imagesPerSecond: z.number(), microseconds: z.number() });

/** What PyTorch's DistributedDataParallel does; undefined where there is no PyTorch. */
function torch({ dataFolder }: Bench, ranks: number): z.infer<typeof Torch> | undefined {
  const python = torchPython();
  if (python === undefined) return undefined;
  const script = join(packageRoot, 'bench', 'torch_ddp.py');
  return Torch.parse(JSON.parse(outputOf([python, script, dataFolder, `${ranks}`])));
}

function outputOf([command, ...args]: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8' });
  if (error) throw error;
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: exit code ${status}: ${stderr.trim()}`);
  return stdout;
}
