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
import type { Passing } from '../services/fault-proxy.js';
import { randomFaults } from '../services/faults.js';
import { fill, type TestPlace } from '../services/place.js';
import { content, randomTree, type Tree } from '../services/random-tree.js';
import { type Job, startCopying } from './copying.js';

export interface Trials {
  readonly places: readonly TestPlace[];
  /** The first seed. */
  readonly first: number;
  readonly runs: number;
  /** One in so many runs is killed, up to three times. */
  readonly killedOf: number;
  /** A place that takes part in every run. */
  readonly always?: TestPlace;
}

/** What trials met with. */
export interface Met {
  runs: number;
  faults: number;
  kills: number;
  files: number;
  bytes: number;
}

/**
 * Runs trials, one after the other, between all pairs of places in turn. The environment variable `SEED` runs one of them alone.
 *
 * @throws Error of the first that fails, naming its seed
 */
export async function runTrials({ places, first, runs, killedOf, always }: Trials): Promise<Met> {
  process.env['MINDTS_RETRY_WAIT_MS'] = '1';
  Object.assign(process.env, ...places.map(({ env }) => env));
  // From a disk to a disk there is no network to fail.
  const pairs = places
    .flatMap((from) => places.map((to) => ({ from, to })))
    .filter(({ from, to }) => from.proxy !== undefined || to.proxy !== undefined)
    .filter(({ from, to }) => always === undefined || from === always || to === always);
  const met: Met = { runs: 0, faults: 0, kills: 0, files: 0, bytes: 0 };
  const only = Number(process.env['SEED'] || Number.NaN);
  for (let seed = first; seed < first + runs; seed++) {
    if (!Number.isNaN(only) && seed !== only) continue;
    const kills = seed % killedOf === 0 ? 1 + (seed % 3) : 0;
    const { from, to } = pairs[seed % pairs.length];
    try {
      await tried({ seed, from, to, kills }, met);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new Error(`SEED=${seed}, ${from.name} to ${to.name}, ${kills} kills: ${reason}`, { cause: error });
    }
    met.runs++;
  }
  return met;
}

interface Trial {
  readonly seed: number;
  readonly from: TestPlace;
  readonly to: TestPlace;
  /** How many processes are killed on the way; with 0 the copy runs in this one. */
  readonly kills: number;
}

async function tried({ seed, from, to, kills }: Trial, met: Met): Promise<void> {
  const random = seededRandom(seed, 'trial');
  const partSize = Math.max(from.leastPart, to.leastPart);
  const tree = randomTree(random, { partSize, takes: (name) => from.takes(name) && to.takes(name) });
  // From a calm network to one where every other request fails.
  const share = 0.5 * random.uniform();
  const [source, destination] = [`from-${seed}`, `to-${seed}`];
  await fill(from, source, tree, { partSize: random.below(2) === 0 ? partSize : undefined });
  assertEqual(await from.look(source), tree, 'the source is as it was drawn');
  // An object may stand for a folder, as consoles make them; it is nothing to copy.
  const url = joinUrl(from.url(source), 'folder');
  if (from.proxy !== undefined && random.below(2) === 0) await (await storeFor(url)).makeFolder(url);
  const before = olderFiles(random, tree);
  await fill(to, destination, before, { partSize, modified: 1_000_000_000_000 });

  const wrong: string[] = [];
  const killedBefore = met.kills;
  let killer: (request: Passing) => void = () => {};
  for (const { proxy, isContent } of new Set([from, to])) {
    if (proxy === undefined) continue;
    const plan = randomFaults(seed, { share, isContent });
    proxy.plan = (request) => {
      killer(request);
      const fault = plan(request);
      if (fault !== undefined) met.faults++;
      return fault;
    };
    proxy.watch = async () => {
      for (const [name, data] of await to.look(destination)) {
        const isWhole = [tree, before].some((files) => files.get(name)?.equals(data));
        if (!isWhole) wrong.push(`${name}: ${data.length} of ${tree.get(name)?.length} bytes`);
      }
    };
  }

  const job = { source: urlOf(from, source, random), destination: urlOf(to, destination, random), partSize };
  while (met.kills - killedBefore < kills) {
    let left = 1 + random.below(30);
    const child = startCopying(job, { ...from.env, ...to.env });
    killer = () => void (--left === 0 && child.kill());
    const ended = await child.ended;
    if ('signal' in ended) met.kills++;
    else if ('failure' in ended) assertForPeople(ended.failure);
    else break;
  }
  killer = () => {};
  await untilDone(job);

  for (const { proxy } of [from, to]) if (proxy !== undefined) proxy.plan = () => undefined;
  assert.deepEqual(wrong, [], 'nothing is half there');
  assertEqual(await from.look(source), tree, 'the source is as it was');
  assertEqual(await to.look(destination), new Map([...before, ...tree]), 'both sides are equal');
  const left = (await to.begun(destination)).filter((name) => kills === 0 || isInParts(name));
  assert.deepEqual(left, [], 'nothing is left begun');

  /** What is written at one stroke leaves a hidden file where the store has no better way: who was killed takes nothing away. */
  function isInParts(hidden: string): boolean {
    const name = hidden.slice(destination.length + 1).replace(/\.([^/]*)\.[0-9a-f]{8}\.partial$/, '$1');
    return (tree.get(name)?.length ?? 0) > partSize;
  }
  const again = await copyParallel(job.source, job.destination, { partSize });
  assert.deepEqual(
    { files: again.files, skipped: again.skipped },
    { files: 0, skipped: tree.size },
    'nothing is left to do',
  );
  await from.remove(source);
  await to.remove(destination);
  met.files += tree.size;
  for (const { length } of tree.values()) met.bytes += length;
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
