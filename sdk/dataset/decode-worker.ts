/** What a worker thread of {@link DecodePool} does: reads and decodes the images it is told to. */
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { MindtsError, systemReason } from '../base/errors.js';
import { seededRandom } from '../base/random.js';
import { type ImageDecoder, imageDecoder } from './decode-image.js';
import type { BadImage, DecodeMessage, DecodeReply, DecodeSettings, DecodeTask } from './decode-pool.js';
import { drawView, type SeenSize, type View } from './views.js';

/** No image file is larger. */
const MOST_BYTES = 2 ** 28;
/** Images of a task that are decoded at once: while one waits for the thread pool, another is in it. */
const AT_ONCE = 2;

const settings: DecodeSettings = workerData;
const port = parentPort;
if (port) {
  const decode = imageDecoder();
  port.on('message', (message: DecodeMessage) => {
    // Without its port, the thread ends when it has done what it is doing.
    if (message === 'end') port.close();
    else void answer(decode, message).then((reply) => port.postMessage(reply));
  });
}

async function answer(decode: ImageDecoder, { id, samples, ...batch }: DecodeTask): Promise<DecodeReply> {
  const bad: BadImage[] = [];
  const waiting = samples.values();
  const work = async (): Promise<void> => {
    for (const { place, file } of waiting) {
      try {
        await decodeInto(decode, { ...batch, place, file });
      } catch (error) {
        if (error instanceof MindtsError) throw error;
        bad.push({ place, reason: systemReason(error).split('\n')[0] });
      }
    }
  };
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    return { id, bad: bad.sort((a, b) => a.place - b.place) };
  } catch (error) {
    if (!(error instanceof MindtsError)) throw error;
    return { id, bad, failed: { code: error.code, message: error.message } };
  }
}

async function decodeInto(
  decode: ImageDecoder,
  { buffer, first, place, file }: Omit<DecodeTask, 'id' | 'samples'> & DecodeTask['samples'][number],
): Promise<void> {
  const { folder, plan, seed, epoch } = settings;
  const { height, width, channels } = plan.input.source;
  const bytes = height * width * channels;
  const look = (size: SeenSize): View => drawView(plan, size, seededRandom(seed, 'view', epoch, first + place));
  await decode(readImage(join(folder, file)), look, new Uint8Array(buffer, place * bytes, bytes));
}

/** A pipe, which may never end, is refused without waiting for it. */
function readImage(path: string): Uint8Array {
  const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const found = fstatSync(file);
    if (!found.isFile()) throw new Error('not a file');
    if (found.size > MOST_BYTES) throw new Error(`${found.size} bytes are more than any image has`);
    return readFileSync(file);
  } finally {
    closeSync(file);
  }
}
