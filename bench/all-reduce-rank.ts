/** One of the ranks of bench/all-reduce: `all-reduce-rank RENDEZVOUS [ID SIZE]`, which are MPI's under mpirun. Rank 0 prints the figure. */
import { z } from 'zod';
import { openCommunicator } from '../sdk/parallel/communicator.js';
import { median } from './measure.js';

/** Gradients of LeNet-5. */
const COUNT = 61_706;
const WARM_UP = 200;
const TIMES = 2000;

const Place = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('memory'), path: z.string() }),
  z.object({ kind: z.literal('network'), host: z.string(), port: z.number(), token: z.string() }),
  z.object({ kind: z.literal('mpi') }),
]);

const [place, rank, ranks] = process.argv.slice(2);
const id = Number(rank ?? process.env['OMPI_COMM_WORLD_RANK']);
const size = Number(ranks ?? process.env['OMPI_COMM_WORLD_SIZE']);
const communicator = await openCommunicator({ id, size, local: id, localSize: size }, Place.parse(JSON.parse(place)), {
  seconds: 60,
});
const values = new Float32Array(COUNT);
const times: number[] = [];
for (let i = 0; i < WARM_UP + TIMES; i++) {
  const begin = performance.now();
  await communicator.allReduce(values);
  if (i >= WARM_UP) times.push(1000 * (performance.now() - begin));
}
communicator.leave();
// Plain: mpirun gives ranks a terminal, for which console.log colours numbers.
if (id === 0) process.stdout.write(`${median(times)}\n`);
