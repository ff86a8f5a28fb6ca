/**
 * One rank in shared memory: `memory-child.ts PATH RANK SIZE SECONDS CALL…`; prints what each call gave. reduce:N sums N numbers,
 * gather:N and broadcast:N move N bytes, abandon:REASON gives up, hang stays until it is killed.
 */
import { createHash } from 'node:crypto';
import { openCommunicator } from '../../sdk/parallel/communicator.js';

const [path, rank, size, seconds, ...calls] = process.argv.slice(2);
const id = Number(rank);
try {
  const communicator = await openCommunicator(
    { id, size: Number(size), local: id, localSize: Number(size) },
    { kind: 'memory', path },
    { seconds: Number(seconds) },
  );
  console.log('joined');
  for (const call of calls) {
    const [what, argument] = call.split(':');
    const n = Number(argument);
    if (what === 'reduce') {
      const values = Float32Array.from({ length: n }, (_, i) => Math.sin(i + 1000 * id));
      await communicator.allReduce(values);
      console.log(digest(new Uint8Array(values.buffer)), values[n - 1]);
    } else if (what === 'gather') {
      const all = await communicator.allGather(Uint8Array.from({ length: n }, (_, i) => i + id));
      console.log(all.map((bytes, r) => bytes.every((byte, i) => byte === ((i + r) & 255))).join());
    } else if (what === 'broadcast') {
      const bytes = Uint8Array.from({ length: n }, (_, i) => (id === 0 ? i * 7 : 0));
      await communicator.broadcast(bytes);
      console.log(bytes.every((byte, i) => byte === ((i * 7) & 255)));
    } else if (what === 'abandon') communicator.abandon(argument);
    else if (what === 'hang') await new Promise(() => setInterval(() => {}, 1000));
  }
  communicator.leave();
} catch (error) {
  const { code, message } = Object(error);
  console.log(`${code} ${message}`);
}

function digest(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex').slice(0, 16);
}
