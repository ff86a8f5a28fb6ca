/** A tree on one side, an older file on the other, and a proxy between: what tests of single faults begin with. */
import type { Test } from 'tap';
import { seededRandom } from '../../sdk/base/random.js';
import { diskPlace } from '../services/disk-place.js';
import type { FaultProxy, Passing } from '../services/fault-proxy.js';
import { nameOf } from '../services/faults.js';
import { fill, type TestPlace } from '../services/place.js';
import { content, type Tree } from '../services/random-tree.js';
import type { Job } from './copying.js';

/** From this machine to the store, or from the store to this machine. */
export type Direction = 'up' | 'down';

export interface Stand {
  readonly proxy: FaultProxy;
  readonly job: Required<Job>;
  /** Both sides are equal, and nothing was ever half there. */
  isDone(t: Test): Promise<void>;
  /** Nothing is there but what was before, and nothing ever was. */
  isUndone(t: Test): Promise<void>;
  /** Nothing is begun and neither finished nor given up, but for what has such a name. */
  isTidy(t: Test, except?: RegExp): Promise<void>;
  /** Replaces the file {@link LARGE} of the source by another of its size. */
  replace(): Promise<void>;
  /** How often each request was asked until now. */
  asked(): ReadonlyMap<string, number>;
}

/** Ten parts and a byte. */
export const LARGE = '手写 #1/large+.bin';

let stands = 0;

/** @param partSize that the file {@link LARGE} has ten of */
export async function stand(t: Test, place: TestPlace, direction: Direction): Promise<Stand> {
  const { proxy } = place;
  if (proxy === undefined) throw new Error('there is no proxy before this place');
  const partSize = place.leastPart;
  const random = seededRandom(++stands, 'stand');
  const tree: Tree = new Map([
    ['small.txt', content(random, 1000)],
    ['手写 #1/空 100%.txt', Buffer.alloc(0)],
    [LARGE, content(random, 10 * partSize + 1)],
  ]);
  const newer: Tree = new Map([[LARGE, content(random, 10 * partSize + 1)]]);
  const older: Tree = new Map([[LARGE, content(random, 5 * partSize)]]);

  const disk = diskPlace(t.testdir());
  const [from, to] = direction === 'up' ? [disk, place] : [place, disk];
  const [source, destination] = [`from-${stands}`, `to-${stands}`];
  proxy.plan = () => undefined;
  proxy.watch = () => {};
  await fill(from, source, tree, { partSize });
  await fill(to, destination, older, { partSize, modified: 1_000_000_000_000 });
  const first = proxy.passed.length;

  let whole = tree;
  const half: string[] = [];
  async function look(): Promise<Tree> {
    const there = await to.look(destination);
    for (const [name, data] of there) {
      if (![whole, tree, older].some((files) => files.get(name)?.equals(data)))
        half.push(`${name}: ${data.length} bytes`);
    }
    return there;
  }
  proxy.watch = look;
  async function isThere(t: Test, files: Tree): Promise<void> {
    const there = await look();
    t.same(half, [], 'nothing was half there');
    t.same([...there.keys()].sort(), [...files.keys()].sort());
    for (const [name, data] of files) t.ok(there.get(name)?.equals(data), name);
  }
  return {
    proxy,
    job: { source: from.url(source), destination: to.url(destination), partSize },
    isDone: (t) => isThere(t, whole),
    isUndone: (t) => isThere(t, older),
    isTidy: async (t, except = /^$/) => {
      const begun = await to.begun(destination);
      t.same(
        begun.filter((name) => !except.test(name)),
        [],
        'nothing is left begun',
      );
    },
    async replace() {
      const { plan, watch } = proxy;
      proxy.plan = () => undefined;
      proxy.watch = () => {};
      // A new file may get the number (inode) of one that was removed just before.
      if (from.proxy === undefined) await from.remove(`${source}/${LARGE}`);
      await fill(from, source, newer, { partSize });
      whole = new Map([...tree, ...newer]);
      proxy.plan = plan;
      proxy.watch = watch;
    },
    asked: () => counted(proxy.passed.slice(first)),
  };
}

function counted(requests: readonly Passing[]): ReadonlyMap<string, number> {
  const times = new Map<string, number>();
  for (const request of requests) times.set(nameOf(request), (times.get(nameOf(request)) ?? 0) + 1);
  return times;
}
