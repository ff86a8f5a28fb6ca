/** An evaluator of a run on a cluster, the seed's single_threading1: scores blocks of candidates as the trainer itself would. As many as one likes. */
import { PruningError } from '../../base/errors.js';
import { log } from '../../base/log.js';
import { startProgress } from '../../base/progress.js';
import { checksum, type Dataset } from '../../dataset/dataset.js';
import type { Engine } from '../../engine/engine.js';
import { shownUrl } from '../../storage/url.js';
import { evaluateHere } from '../evaluate-here.js';
import { getData } from '../farm/data.js';
import { type Block, evaluateUntilStopped } from '../farm/evaluator.js';
import { joinEvaluators } from '../farm/seat.js';
import { type Evaluate, ratesSchema } from '../round.js';
import { decodeSnapshot } from '../snapshot-bytes.js';
import { Throughput } from '../throughput.js';
import { PruneTrainer } from '../trainer.js';
import { holding } from './holding.js';
import type { Joined } from './joined.js';
import { Common, type EvaluatorProgress } from './messages.js';

/** What an evaluator has of its own. */
export interface EvaluatorRoleOptions {
  readonly engine: Engine;
  /** All training images, as the trainer has them. */
  readonly data: Dataset;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Evaluates until the run is stopped.
 *
 * @returns how many candidates it has evaluated
 * @throws PruningError `E_RUN` for other images than the trainer's; `E_STOPPED` when the run was stopped before; `E_FARM_SILENT`, `E_FARM_DATA`
 */
export async function evaluatorRole(joined: Joined, { engine, data, signal }: EvaluatorRoleOptions): Promise<number> {
  const { folder } = joined;
  return holding(
    () => joinEvaluators(folder),
    signal,
    async (seat) => {
      const options = {
        network: joined.network,
        engine,
        data,
        parameters: await joined.parameters(seat.signal),
        // No step is taken here and no saliency measured: that would only fill the memory.
        settings: { ...joined.settings, shift: 0, saliency: 'magnitude' as const },
      };
      const bench = new Bench(joined, new PruneTrainer(options), { engine: engine.description, data: checksum(data) });
      const bar = startProgress({ label: 'evaluating', unit: 'candidates' });
      const throughput = new Throughput();
      let candidates = 0;
      try {
        const evaluated = await evaluateUntilStopped(seat, async (block) => {
          const begun = performance.now();
          const scores = await bench.evaluate(block);
          candidates += scores.length;
          throughput.add(scores.length, (performance.now() - begun) / 1000);
          const now: EvaluatorProgress = { candidates, candidatesPerSecond: throughput.perSecond };
          seat.report(now);
          bar.update(candidates, noteOf(block, now));
          return scores;
        });
        log.info(`the run was stopped: ${evaluated} candidates were evaluated here`);
        return evaluated;
      } finally {
        bar.clear();
        bench.close();
      }
    },
  );
}

/** A trainer that is put at one snapshot after another. */
class Bench {
  #at: { readonly sha256: string; readonly evaluate: Evaluate } | undefined;
  #hasWarned = false;

  constructor(
    readonly joined: Joined,
    readonly trainer: PruneTrainer,
    readonly own: { readonly engine: string; readonly data: string },
  ) {}

  async evaluate({ round, generation, common, candidates }: Block): Promise<readonly unknown[]> {
    const evaluate = await this.#evaluateOn(Common.parse(common));
    return evaluate(
      candidates.map((rates) => ratesSchema.parse(rates)),
      { round, generation },
    );
  }

  close(): void {
    this.trainer.close();
  }

  async #evaluateOn({ snapshot: ref, data, engine }: Common): Promise<Evaluate> {
    if (this.#at?.sha256 === ref.sha256) return this.#at.evaluate;
    const { folder, network } = this.joined;
    const source = shownUrl(folder.url);
    if (data !== this.own.data) {
      throw new PruningError(
        'E_RUN',
        `${source}: the trainer has other images: give the same --data_url as it was given`,
      );
    }
    if (kindOf(engine) !== kindOf(this.own.engine) && !this.#hasWarned) {
      log.warn(
        `the trainer computes with ${engine}, this machine with ${this.own.engine}: the last bits of losses may differ`,
      );
      this.#hasWarned = true;
    }
    const { layers } = this.trainer;
    const snapshot = decodeSnapshot(await getData(folder, ref), { layers, size: network.parameterCount, source });
    this.trainer.restore(snapshot);
    const evaluate = evaluateHere(this.trainer, snapshot);
    this.#at = { sha256: ref.sha256, evaluate };
    return evaluate;
  }
}

function noteOf({ round, generation }: Block, { candidatesPerSecond: speed }: EvaluatorProgress): string {
  return `round ${round}, generation ${generation}${speed === undefined ? '' : `, ${speed.toFixed(0)} candidates/s`}`;
}

/** What an engine runs on, without how many threads: no result of a candidate depends on them. */
function kindOf(engine: string): string {
  return engine.replace(/,? *\d+ threads?/, '');
}
