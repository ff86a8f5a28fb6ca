// One rank of a job, as a process of its own, which does what it is told. It runs what was built.
//
//   node rank.mjs '{"id":0,"size":2,"rendezvous":{…},"seconds":30,"orders":[…]}'
//
// Without `orders` it takes them from its input, a line each; it answers with a line each. Under mpirun, which hands no input on,
// `orders` holds a list for each rank, and id and size are MPI's.
import { createHash } from 'node:crypto';
import { createInterface } from 'node:readline';
import { openCommunicator } from '../../dist/sdk/parallel/communicator.js';
import { numbers } from './numbers.mjs';

const { env, pid } = process;
const { rendezvous, seconds, orders, ...told } = JSON.parse(process.argv[2]);
const id = told.id ?? Number(env.OMPI_COMM_WORLD_RANK);
const size = told.size ?? Number(env.OMPI_COMM_WORLD_SIZE);

function say(answer) {
  process.stdout.write(`${JSON.stringify({ id, ...answer })}\n`);
}

const kinds = {
  /** A hash of the sum over ranks. */
  async sum(communicator, { count }) {
    const values = numbers(id, count);
    await communicator.allReduce(values);
    return createHash('sha256').update(values).digest('hex');
  },
  async gather(communicator, { bytes, seconds }) {
    const all = await communicator.allGather(Uint8Array.from(bytes), { seconds });
    return all.map((each) => [...each]);
  },
  async broadcast(communicator, { bytes }) {
    const all = Uint8Array.from(bytes);
    await communicator.broadcast(all);
    return [...all];
  },
  /** Microseconds that a sum takes, the median of many. */
  async time(communicator, { count, times }) {
    const values = new Float32Array(count);
    const taken = [];
    for (let i = 0; i < times; i++) {
      const begin = performance.now();
      await communicator.allReduce(values);
      taken.push(1000 * (performance.now() - begin));
    }
    return taken.sort((a, b) => a - b)[times >> 1];
  },
  abandon: (communicator, { reason }) => communicator.abandon(reason),
  leave: (communicator) => communicator.leave(),
  /** As a rank that is at something else. */
  pause: () => new Promise((resolve) => setTimeout(resolve, 2 ** 30)),
  exit: () => process.exit(),
};

async function obey(communicator, { kind, ...order }) {
  try {
    say({ value: (await kinds[kind](communicator, order)) ?? null });
    return true;
  } catch (error) {
    say({ code: error.code, message: error.message });
    return false;
  }
}

try {
  const communicator = await openCommunicator({ id, size }, rendezvous, { seconds });
  process.on('SIGTERM', () => {
    communicator.abandon('it was told to end');
    process.exit(143);
  });
  say({ pid });
  if (orders === undefined) {
    for await (const line of createInterface({ input: process.stdin })) await obey(communicator, JSON.parse(line));
  } else {
    for (const order of orders[id]) {
      if (!(await obey(communicator, order))) process.exit(1);
    }
  }
  communicator.leave();
} catch (error) {
  say({ code: error.code, message: error.message });
  process.exitCode = 1;
}
