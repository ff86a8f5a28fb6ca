/** An object's bytes, over as many connections as it takes. */
import { type Digest, type Hasher, hasherFor } from './digest.js';
import type { ObjectClient } from './object-client.js';
import { PassingFailure } from './retry.js';
import { type Opened, steadyRead } from './steady-read.js';
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
  let wanted = version;
  let check: { readonly digest: Digest; readonly hasher: Hasher } | undefined;
  async function open(from: number): Promise<Opened> {
    const { body, info } = await client.get(key, { start: from, end, version: wanted });
    wanted ??= info.version;
    const { digest, size } = info;
    const isWhole = start === 0 && (end === undefined || end >= size);
    if (digest !== undefined && isWhole) check ??= { digest, hasher: hasherFor(digest) };
    return { body, endpoint: url.slice(0, -key.length), size };
  }
  for await (const chunk of steadyRead(url, { start, end }, open)) {
    check?.hasher.update(chunk);
    yield chunk;
  }
  const sum = check?.hasher.value();
  if (sum !== check?.digest.value) {
    const message = `${shownUrl(url)} came damaged: its checksum is ${sum} instead of ${check?.digest.value}`;
    throw new PassingFailure('E_CHECKSUM', message);
  }
}
