/** An object's bytes, over as many connections as it takes. */
import { StorageError, systemCode } from '../base/errors.js';
import { hasherFor } from './digest.js';
import type { ObjectClient } from './object-client.js';
import { PassingFailure, retrying } from './retry.js';
import type { ByteRange } from './store.js';
import { shownUrl } from './url.js';

interface Source {
  readonly client: ObjectClient;
  readonly key: string;
  /** For people. */
  readonly url: string;
}

/** Goes on where a connection broke, with the same version of the object; a whole object is held against its checksum. */
export async function* chunksOf(
  { client, key, url }: Source,
  { start = 0, end, version }: ByteRange = {},
): AsyncGenerator<Buffer> {
  if (end !== undefined && start >= end) return;
  let reached = start;
  let wanted = version;
  const open = () => retrying(() => client.get(key, { start: reached, end, version: wanted }));
  let { body, info } = await open();
  try {
    wanted ??= info.version;
    const stop = Math.min(end ?? info.size, info.size);
    const { digest } = info;
    const hasher = digest !== undefined && start === 0 && stop === info.size ? hasherFor(digest) : undefined;
    for (let broken = 0; reached < stop; ) {
      const before = reached;
      try {
        for await (const chunk of body) {
          // Bytes beyond what was asked for would be of something else.
          const asked: Buffer = chunk.length > stop - reached ? chunk.subarray(0, stop - reached) : chunk;
          reached += asked.length;
          hasher?.update(asked);
          yield asked;
        }
        if (reached < stop) throw broke(url, reached, stop);
      } catch (error) {
        if (reached === stop) break;
        // Whatever a connection fails with in the middle, another one may do better.
        const failure = error instanceof StorageError ? error : broke(url, reached, stop, error);
        broken = reached > before ? 0 : broken + (failure instanceof PassingFailure && failure.isSilence ? SILENCE : 1);
        if (!(failure instanceof PassingFailure) || broken >= MOST_BROKEN) throw failure;
        body.destroy();
        ({ body } = await open());
      }
    }
    const sum = hasher?.value();
    if (sum !== undefined && sum !== digest?.value) {
      throw new PassingFailure(
        'E_CHECKSUM',
        `${shownUrl(url)} came damaged: its checksum is ${sum} instead of ${digest?.value}`,
      );
    }
  } finally {
    body.destroy();
  }
}

function broke(url: string, reached: number, stop: number, cause?: unknown): PassingFailure {
  const message = `${shownUrl(url)}: the connection broke after ${reached} of ${stop} bytes`;
  return new PassingFailure('E_NETWORK', message, { cause, isSilence: systemCode(cause) === 'ETIMEDOUT' });
}

/** Connections in a row that break without a byte. */
const MOST_BROKEN = 5;
/** One that falls silent counts for more: that takes a minute. */
const SILENCE = 3;
