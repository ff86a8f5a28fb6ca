/** The search by the seed's files, its LoopTest2: one file for each candidate, one for each answer, the best rates at the end of a round. */
import { randomInt } from 'node:crypto';
import { PruningError } from '../../base/errors.js';
import { log } from '../../base/log.js';
import { joinUrl, shownUrl } from '../../storage/url.js';
import { Waits } from '../farm/pace.js';
import { searchFor } from '../round.js';
import type { PruneSettings } from '../settings.js';
import { answerFile, SEED_FILES, type SeedFolder, solutionFile } from './folder.js';
import { type Answer, decodeAnswer, encodeNpy } from './npy.js';
import { INFEASIBLE, requireSeedSettings } from './settings.js';
import { parseStart, type Start } from './texts.js';

/** What LoopTest2 has as constants. */
export interface SeedSearchOptions {
  /** The network's layers with weights, in order. */
  readonly layers: readonly string[];
  readonly settings: PruneSettings;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Searches until the trainer, or main, says that it is over.
 *
 * @returns how many rounds were searched
 * @throws PruningError `E_SETTINGS`; `E_FARM_SILENT` where the trainer or the evaluators do not answer; `E_SEED_TEXT`, `E_NPY_…`, `E_PICKLE_REFUSED`
 */
export async function seedSearch(folder: SeedFolder, { layers, settings, signal }: SeedSearchOptions): Promise<number> {
  requireSeedSettings(settings);
  const asking = new Asking(folder, signal);
  /** As LoopTest2 remembers them: a negative rate leaves a layer as it is. */
  let rates: readonly number[] = layers.map(() => -1);
  for (let round = 0; ; round++) {
    // It stays until it is answered, so that a search that was killed finds it again.
    const start = await folder.receive(SEED_FILES.start, parseStart, { from: 'trainer', signal, keep: true });
    if (start === 'exit') {
      await folder.remove(SEED_FILES.start);
      await folder.end();
      return round;
    }
    const found = await searchRound(start, { layers, settings, round, rates, ask: (asked) => asking.ask(asked) });
    rates = found ?? rates;
    const vector = found ?? layers.map(() => -1);
    await folder.write(SEED_FILES.rates, encodeNpy(Float64Array.from(vector), [vector.length]));
    await folder.remove(SEED_FILES.start);
    await folder.write(SEED_FILES.over, Buffer.from('complete!'));
  }
}

/** Rates above which the seed's surgery happens at all: a rate of 0 says nothing there. */
const LEAST = 1e-4;

interface Round extends Pick<SeedSearchOptions, 'layers' | 'settings'> {
  readonly round: number;
  readonly rates: readonly number[];
  ask(vectors: readonly (readonly number[])[]): Promise<readonly number[]>;
}

/** The best rates of all layers; undefined where none meets the constraint. */
async function searchRound(
  { rates: from, layers: taking }: Exclude<Start, string>,
  { layers, settings, round, rates, ask }: Round,
): Promise<readonly number[] | undefined> {
  const places = taking.map((name) => {
    const place = layers.indexOf(name);
    if (place >= 0) return place;
    const has = `the trainer names the layer ${JSON.stringify(name)}, and the layers here are ${layers.join(', ')}`;
    throw new PruningError('E_SETTINGS', `${has}: give the trainer's --network`);
  });
  const [least, most] = [Math.max(settings.rate_min, LEAST), settings.rate_max];
  const box = { lower: places.map(() => least), upper: places.map(() => most) };
  const search = searchFor(settings, round, {
    ...box,
    start: from.map((rate) => Math.min(most, Math.max(least, rate))),
  });
  const toVector = (point: readonly number[]): readonly number[] =>
    rates.map((rate, l) => (places.includes(l) ? point[places.indexOf(l)] : rate));
  for (let asked = search.ask(); asked.length > 0; asked = search.ask()) {
    const fitness = await ask(asked.map(toVector));
    search.tell(fitness.map((one) => ({ fitness: one, violation: one < INFEASIBLE ? 0 : 1 })));
    const { best, generation } = search;
    const found =
      best && best.violation === 0 ? `best ${(1 / best.fitness).toFixed(1)}×` : 'none meets the constraint yet';
    log.info(`round ${round}, generation ${generation}: ${found}`);
  }
  const { best } = search;
  return best && best.violation === 0 ? toVector(best.candidate) : undefined;
}

/** Candidates out, answers in. An answer belongs to a candidate by its file's number and its vector, in whatever order it comes. */
class Asking {
  /** All numbers that were given out: an answer that comes twice is cleared away. */
  readonly #given = new Set<number>();

  constructor(
    readonly folder: SeedFolder,
    readonly signal: AbortSignal | undefined,
  ) {}

  async ask(vectors: readonly (readonly number[])[]): Promise<readonly number[]> {
    const { folder, signal } = this;
    const open = new Map<number, readonly number[]>();
    for (const vector of vectors) {
      const number = this.#number();
      open.set(number, vector);
      await this.#publish(number, vector);
    }
    const numbers = [...open.keys()];
    const answers = new Map<number, number>();
    const what = `answers of the evaluators in ${shownUrl(folder.url)}`;
    const advice = 'is one running? Start it, or give a longer --patience';
    const waits = new Waits({ pace: folder.pace, signal, what, advice });
    let since = performance.now();
    while (open.size > 0) {
      signal?.throwIfAborted();
      const names = new Set(await folder.list(''));
      const before = open.size;
      for (const number of this.#given) {
        if (!names.has(answerFile(number))) continue;
        const vector = open.get(number);
        if (vector !== undefined) {
          const answer = await folder.look(answerFile(number), decodeAnswer);
          if (answer === undefined || !isOf(answer, vector)) continue;
          answers.set(number, this.#fitnessOf(answer, number));
          open.delete(number);
        }
        await folder.remove(answerFile(number));
      }
      if (open.size < before) {
        waits.begin();
        since = performance.now();
      } else if (performance.now() - since > folder.pace.patienceMs / 10) {
        // Who took them may have died.
        const lost = [...open].filter(([number]) => !names.has(solutionFile(number)));
        if (lost.length > 0)
          log.warn(`${lost.length} candidates were taken and are not answered: they are asked again`);
        for (const [number, vector] of lost) await this.#publish(number, vector);
        since = performance.now();
      }
      if (open.size === 0) break;
      await folder.requireGoing();
      await waits.wait();
    }
    return numbers.flatMap((number) => answers.get(number) ?? []);
  }

  /** What is no part of the parameters is none that meets the constraint. */
  #fitnessOf({ fitness }: Answer, number: number): number {
    if (Number.isFinite(fitness) && fitness >= 0) return fitness;
    const where = shownUrl(joinUrl(this.folder.url, answerFile(number)));
    log.warn(
      `${where}: has the fitness ${fitness}, which is no part of the parameters: it counts as a candidate that misses the constraint`,
    );
    return INFEASIBLE;
  }

  async #publish(number: number, vector: readonly number[]): Promise<void> {
    await this.folder.write(solutionFile(number), encodeNpy(Float64Array.from(vector), [vector.length]));
  }

  /** The seed's range; none twice, which there lost a candidate. */
  #number(): number {
    for (;;) {
      const number = randomInt(9_999_999);
      if (this.#given.has(number)) continue;
      this.#given.add(number);
      return number;
    }
  }
}

/** One of an earlier process under the same number is none. */
function isOf(answer: Answer, vector: readonly number[]): boolean {
  return answer.vector.length === vector.length && vector.every((rate, l) => rate === answer.vector[l]);
}
