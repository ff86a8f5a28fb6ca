/**
 * One rank of a job, which does what it is told:
 *
 *     node communicator-child.js '{"id":0,"size":2,"rendezvous":{…},"seconds":30,"orders":[…]}'
 *
 * Without `orders` it takes them from its input, a line each; it answers with a line each. Under mpirun, which hands no input on,
 * `orders` holds a list for each rank, and id and size are MPI's.
 */
import { createHash } from 'node:crypto';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { systemCode } from '../../sdk/base/errors.js';
import { type Communicator, openCommunicator } from '../../sdk/parallel/communicator.js';
import { numbersOf } from './numbers-child.js';

const Order = z.discriminatedUnion('kind', [
  /** A hash of the sum over ranks. */
  z.object({ kind: z.literal('sum'), count: z.number() }),
  z.object({ kind: z.literal('gather'), bytes: z.array(z.number()) }),
  z.object({ kind: z.literal('broadcast'), bytes: z.array(z.number()) }),
  z.object({ kind: z.literal('abandon'), reason: z.string() }),
  z.object({ kind: z.literal('leave') }),
  /** To be at something else, without end. */
  z.object({ kind: z.literal('pause') }),
]);
const Place = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('memory'), path: z.string() }),
  z.object({ kind: z.literal('network'), host: z.string(), port: z.number(), token: z.string() }),
  z.object({ kind: z.literal('mpi') }),
]);
const Task = z.object({
  id: z.number().default(Number(process.env['OMPI_COMM_WORLD_RANK'])),
  size: z.number().default(Number(process.env['OMPI_COMM_WORLD_SIZE'])),
  rendezvous: Place,
  seconds: z.number(),
  orders: z.array(z.array(Order)).optional(),
});

const { id, size, rendezvous, seconds, orders } = Task.parse(JSON.parse(process.argv[2]));

function say(answer: object): void {
  process.stdout.write(`${JSON.stringify({ id, ...answer })}\n`);
}

function sayWhy(error: unknown): void {
  say({ code: systemCode(error), message: error instanceof Error ? error.message : String(error) });
}

async function follow(communicator: Communicator, order: z.infer<typeof Order>): Promise<unknown> {
  switch (order.kind) {
    case 'sum': {
      const values = numbersOf(id, order.count);
      await communicator.allReduce(values);
      return createHash('sha256').update(values).digest('hex');
    }
    case 'gather': {
      const all = await communicator.allGather(Uint8Array.from(order.bytes));
      return all.map((bytes) => [...bytes]);
    }
    case 'broadcast': {
      const bytes = Uint8Array.from(order.bytes);
      await communicator.broadcast(bytes);
      return [...bytes];
    }
    case 'abandon':
      return communicator.abandon(order.reason);
    case 'leave':
      return communicator.leave();
    case 'pause':
      return new Promise(() => setInterval(() => {}, 2 ** 30));
    default:
      throw order satisfies never;
  }
}

try {
  const communicator = await openCommunicator({ id, size, local: id, localSize: size }, rendezvous, { seconds });
  process.on('SIGTERM', () => {
    communicator.abandon('it was told to end');
    communicator.leave();
    process.exit(143);
  });
  say({ pid: process.pid });
  if (orders !== undefined) {
    for (const order of orders[id]) say({ value: await follow(communicator, order) });
  } else {
    for await (const line of createInterface({ input: process.stdin })) {
      await follow(communicator, Order.parse(JSON.parse(line))).then((value) => say({ value }), sayWhy);
    }
  }
  communicator.leave();
} catch (error) {
  sayWhy(error);
  process.exit(1);
}
