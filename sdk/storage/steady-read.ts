/** Reading over HTTP that goes on by itself where a connection broke. */
import type { Readable } from 'node:stream';
import { StorageError } from '../base/errors.js';
import { networkFailure } from './http-failure.js';
import { PassingFailure, retrying } from './retry.js';
import { shownUrl } from './url.js';

/** An answer under way. */
export interface Opened {
  readonly body: Readable;
  /** Which server sends it, for errors. */
  readonly endpoint: string;
  /** Bytes of the whole file, where the server tells. */
  readonly size: number | undefined;
}

/**
 * The bytes of a file from `start` to `end` or its end, whichever comes first.
 *
 * @param open asks for the bytes from a place on; it is tried again, and called again where a connection broke
 * @throws StorageError the failures of `open`, and `E_NETWORK` for a connection that breaks again and again without a byte
 */
export async function* steadyRead(
  url: string,
  {
    start = 0,
    end = Number.POSITIVE_INFINITY,
  }: { readonly start?: number | undefined; readonly end?: number | undefined },
  open: (from: number) => Promise<Opened>,
): AsyncGenerator<Buffer> {
  let reached = start;
  let opened = await retrying(() => open(reached));
  let stop = end;
  for (let broken = 0; ; ) {
    const before = reached;
    // Of the first answer that a byte came of.
    if (reached === start) stop = Math.min(end, opened.size ?? Number.POSITIVE_INFINITY);
    try {
      for await (const chunk of opened.body) {
        const wanted: Buffer = chunk.subarray(0, stop - reached);
        reached += wanted.length;
        if (wanted.length > 0) yield wanted;
        // The server takes no ranges: the rest is not wanted.
        if (wanted.length < chunk.length) return;
      }
      if (reached >= stop || stop === Number.POSITIVE_INFINITY) return;
      throw new Error(`it ended after ${reached} of ${stop} bytes`);
    } catch (cause) {
      const failure = readFailure(url, opened.endpoint, cause);
      broken = reached > before ? 0 : broken + (failure instanceof PassingFailure && failure.isSilence ? SILENCE : 1);
      if (!(failure instanceof PassingFailure) || broken >= MOST_BROKEN) throw failure;
      if (reached >= stop) return;
    } finally {
      opened.body.destroy();
    }
    opened = await retrying(() => open(reached));
  }
}

/** Connections in a row that break without a byte. */
const MOST_BROKEN = 5;
/** One that falls silent counts for more: that takes a minute. */
const SILENCE = 3;

function readFailure(url: string, endpoint: string, cause: unknown): StorageError {
  if (cause instanceof StorageError) return cause;
  // Node's parser: something stands behind the end of the body.
  if (cause instanceof Error && 'code' in cause && String(cause.code).startsWith('HPE_')) {
    return new PassingFailure(
      'E_HTTP',
      `cannot read ${shownUrl(url)}: ${shownUrl(endpoint)} sends more than the length that it told; tell its owner`,
      { cause },
    );
  }
  return networkFailure({ doing: 'read', url, endpoint, cause });
}
