/** What a kill costs: an upload is killed when half of it was sent, and begun again; the bytes beyond the file's own were sent again. */
import { join } from 'node:path';
import type { Swift } from '../../test/services/swift.js';
import type { Facts } from '../report.js';
import { type Command, start } from './child.js';
import { writeTree } from './content.js';
import type { Figure } from './figures.js';
import { amountOf, ours, peer } from './local.js';
import { BUCKET_URL, forRclone, objectCensus, oursAt, rcloneAt } from './objects.js';
import { startRelay } from './relay.js';
import type { Sizes } from './sizes.js';

/** Four parts of 8 MiB are on their way at once. */
const ONE_PART_PER_STREAM = (4 * 8 * 2 ** 20) / 1e6;

/** The figure of that, beside rclone, which begins anew. */
export function resumption(folder: string, swift: Swift, { large }: Sizes): Figure {
  const source = join(folder, 'killed');
  type Uploader = (endpoint: string, to: string) => Command | undefined;
  const sides: Record<'ours' | 'rclone', Uploader> = {
    ours: (endpoint, to) => ours(source, to, oursAt(endpoint, swift)),
    rclone: (endpoint, to) => peer('rclone', ['copy', source, forRclone(to)], rcloneAt(endpoint, swift)),
  };
  async function sentAgain(side: keyof typeof sides, expected: string): Promise<number | undefined> {
    const to = `${BUCKET_URL}/killed-${side}`;
    const relay = await startRelay(swift.endpoint);
    try {
      const upload = sides[side](relay.endpoint, to);
      if (upload === undefined) return undefined;
      const first = start(upload);
      relay.when(large.size / 2, () => first.kill());
      const failure = await first.ended.then(() => new Error(`${side} was done with half of it`), Error);
      if (relay.sent < large.size / 2) throw failure;
      await start(upload).ended;
      const found = await objectCensus(to);
      if (found !== expected) throw new Error(`${side} left ${found} instead of ${expected}`);
      return (relay.sent - large.size) / 1e6;
    } finally {
      await relay.close();
    }
  }
  return {
    async measure() {
      const expected = await writeTree(source, large, 'killed');
      const [value, theirs] = [await sentAgain('ours', expected), await sentAgain('rclone', expected)];
      if (value === undefined) return [];
      const facts: Facts = {
        title: `sent again after SIGKILL at half of ${amountOf(large)} up, headers of requests included`,
        unit: 'MB',
        target: { is: '≤', limit: ONE_PART_PER_STREAM },
      };
      const note = theirs === undefined ? 'rclone is not installed' : 'beside rclone';
      return [{ suffix: '', facts, measurement: { value, ...(theirs !== undefined && { peer: theirs }), note } }];
    },
  };
}
