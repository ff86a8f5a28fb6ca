/**
 * One trial of a copy: a random tree, from a place to a place, through random faults, killed now and then and begun again until
 * it is done. Nothing may be half there at any time, and at the end both sides are equal.
 */
import { strict as assert } from 'node:assert';
import { pathToFileURL } from 'node:url';
import { MindtsError } from '../../sdk/base/errors.js';
import { type Random, seededRandom } from '../../sdk/base/random.js';
import { copyParallel } from '../../sdk/storage/copy.js';
import { storeFor } from '../../sdk/storage/stores.js';
import { joinUrl } from '../../sdk/storage/url.js';
import { randomFaults } from '../services/faults.js';
import { fill, type TestPlace } from '../services/place.js';
import { content, randomTree, type Tree } from '../services/random-tree.js';
import { type Job, startCopying } from './copying.js';

/** One copy, from a place to a place. */
export interface Trial {
  readonly seed: number;
  readonly from: TestPlace;
  readonly to: TestPlace;
  /** How many processes are killed on the way; with 0 the copy runs in this one. */
  readonly kills: number;
}

/** What trials met with. */
export interface Met {
  runs: number;
  faults: number;
  kills: number;
  files: number;
  bytes: number;
}

/** What a trial begins with. */
interface Stage extends Trial {
  readonly random: Random;
  readonly tree: Tree;
  /** What the destination has before. */
  readonly before: Tree;
  /** The folders' names in their places. */
  readonly source: string;
  readonly destination: string;
  readonly job: Required<Job>;
}

/** Makes a trial, and adds to what was met with. @throws Error */
export async function makeTrial(trial: Trial, met: Met): Promise<void> {
  const stage = await prepared(trial);
  const { wrong, onRequest, end } = disturb(stage, met);
  for (let kills = trial.kills; kills > 0; kills--) {
    if (!(await isKilled(stage, onRequest))) break;
    met.kills++;
  }
  await untilDone(stage.job);
  end();
  assert.deepEqual(wrong, [], 'nothing is half there');
  await verify(stage);
  await stage.from.remove(stage.source);
  await stage.to.remove(stage.destination);
  met.files += stage.tree.size;
  for (const { length } of stage.tree.values()) met.bytes += length;
}

async function prepared(trial: Trial): Promise<Stage> {
  const { seed, from, to } = trial;
  const random = seededRandom(seed, 'trial');
  const partSize = Math.max(from.leastPart, to.leastPart);
  const tree = randomTree(random, { partSize, takes: (name) => from.takes(name) && to.takes(name) });
  const before = olderFiles(random, tree);
  const [source, destination] = [`from-${seed}`, `to-${seed}`];
  await fill(from, source, tree, { partSize: random.below(2) === 0 ? partSize : undefined });
  await fill(to, destination, before, { partSize, modified: 1_000_000_000_000 });
  assertEqual(await from.look(source), tree, 'the source is as it was drawn');
  // An object may stand for a folder, as consoles make them; it is nothing to copy.
  const url = joinUrl(from.url(source), 'folder');
  if (from.proxy !== undefined && random.below(2) === 0) await (await storeFor(url)).makeFolder(url);
  const job = { source: urlOf(from, source, random), destination: urlOf(to, destination, random), partSize };
  return { ...trial, random, tree, before, source, destination, job };
}

/** Lets faults happen to all requests, from a calm network to one where every other request fails, and looks at the destination after each. */
function disturb({ seed, random, from, to, tree, before, destination }: Stage, met: Met): Disturbance {
  const share = 0.5 * random.uniform();
  const disturbance: Disturbance = {
    wrong: [],
    onRequest: { call: () => {} },
    end() {
      for (const { proxy } of [from, to]) {
        if (proxy !== undefined) Object.assign(proxy, { plan: () => undefined, watch: () => {} });
      }
    },
  };
  for (const { proxy, isContent } of new Set([from, to])) {
    if (proxy === undefined) continue;
    const plan = randomFaults(seed, { share, isContent });
    proxy.plan = (request) => {
      disturbance.onRequest.call();
      const fault = plan(request);
      if (fault !== undefined) met.faults++;
      return fault;
    };
    proxy.watch = async () => {
      for (const [name, data] of await to.look(destination)) {
        const isWhole = [tree, before].some((files) => files.get(name)?.equals(data));
        if (!isWhole) disturbance.wrong.push(`${name}: ${data.length} of ${tree.get(name)?.length} bytes`);
      }
    };
  }
  return disturbance;
}

interface Disturbance {
  /** Files that were seen at the destination and were not whole. */
  readonly wrong: string[];
  /** Called for every request; to be replaced. */
  readonly onRequest: { call: () => void };
  end(): void;
}

/** Copies in a process that is killed at a request; false when it came to its end before. */
async function isKilled({ random, from, to, job }: Stage, onRequest: { call: () => void }): Promise<boolean> {
  let left = 1 + random.below(30);
  const child = startCopying(job, { ...from.env, ...to.env });
  onRequest.call = () => void (--left === 0 && child.kill());
  const ended = await child.ended;
  onRequest.call = () => {};
  if ('failure' in ended) assertForPeople(ended.failure);
  return 'signal' in ended;
}

async function verify({ from, to, kills, tree, before, source, destination, job }: Stage): Promise<void> {
  assertEqual(await from.look(source), tree, 'the source is as it was');
  assertEqual(await to.look(destination), new Map([...before, ...tree]), 'both sides are equal');
  const begun = await to.begun(destination);
  // What is written at one stroke may leave a hidden file: who was killed takes nothing away.
  const isLeft = (hidden: string): boolean => {
    const name = hidden.slice(destination.length + 1).replace(/\.([^/]*)\.[0-9a-f]{8}\.partial$/, '$1');
    return kills === 0 || (tree.get(name)?.length ?? 0) > job.partSize;
  };
  assert.deepEqual(begun.filter(isLeft), [], 'nothing is left begun');
  const { files, skipped } = await copyParallel(job.source, job.destination, job);
  assert.deepEqual({ files, skipped }, { files: 0, skipped: tree.size }, 'nothing is left to do');
}

/** A folder of this machine is named by its path or by its URL. */
function urlOf(place: TestPlace, folder: string, random: Random): string {
  const url = place.url(folder);
  return url.startsWith('/') && random.below(2) === 0 ? pathToFileURL(url).href : url;
}

/** What the destination has before: some files whole, some another content under the same name, and one of its own. */
function olderFiles(random: Random, tree: Tree): Tree {
  const older = new Map<string, Buffer>();
  for (const [name, data] of tree) {
    const kind = random.below(8);
    if (kind === 0) older.set(name, data);
    if (kind === 1) older.set(name, content(random, data.length));
    if (kind === 2) older.set(name, content(random, random.below(1000)));
  }
  return random.below(2) === 0 ? older : older.set('of its own', content(random, 10));
}

/** A failure that lasts is told, and whoever runs it again gets on. */
async function untilDone({ source, destination, ...options }: Job): Promise<void> {
  for (let left = 30; ; left--) {
    try {
      await copyParallel(source, destination, options);
      return;
    } catch (error) {
      if (!(error instanceof MindtsError) || left === 0) throw error;
      assertForPeople(error.message);
    }
  }
}

function assertForPeople(message: string): void {
  assert.match(message, /:\/\/|\//, `a failure names its URL: ${message}`);
  assert.doesNotMatch(message, /-test-(secret|token)/, 'a failure tells no secret');
}

function assertEqual(found: Tree, wanted: Tree, what: string): void {
  assert.deepEqual([...found.keys()].sort(), [...wanted.keys()].sort(), what);
  for (const [name, data] of wanted) assert.ok(found.get(name)?.equals(data), `${what}: ${name}`);
}
