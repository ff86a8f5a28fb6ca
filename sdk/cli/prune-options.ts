/** The options of pruning, and what they choose. What is not said comes from configs/pruning.yaml. */
import { choice, flag, integer, number, type Options, text } from '../args/option.js';
import { ArgumentError } from '../base/errors.js';
import { CURVES, type PruneChoices, SALIENCIES, SCHEDULES, SEARCH_METHODS, SHARES } from '../pruning/settings.js';

/** What a person may say of a run. */
export interface PruneArgs {
  readonly seed: number;
  readonly iterations: number | undefined;
  readonly prune_stop: number | undefined;
  readonly search_every: number | undefined;
  readonly schedule: (typeof SCHEDULES)[number] | undefined;
  readonly curve_end: number | undefined;
  readonly curve: (typeof CURVES)[number] | undefined;
  readonly target_ratio: number | undefined;
  readonly method: (typeof SEARCH_METHODS)[number] | undefined;
  readonly search_budget: number | undefined;
  readonly search_images: number | undefined;
  readonly saliency: (typeof SALIENCIES)[number] | undefined;
  readonly saliency_images: number | undefined;
  readonly regrow: number | undefined;
  readonly shares: string | undefined;
  readonly delta: number | undefined;
  readonly caps: string | undefined;
  readonly rates: string | undefined;
  readonly rate_min: number | undefined;
  readonly rate_max: number | undefined;
  readonly gamma: number | undefined;
  readonly masked: 'learn' | 'stay' | undefined;
  readonly batch_size: number | undefined;
  readonly learning_rate: number | undefined;
  readonly retrain_learning_rate: number | undefined;
  readonly momentum: number | undefined;
  readonly weight_decay: number | undefined;
  readonly shift: number | undefined;
  readonly validation: number | undefined;
}

/** All that makes a run of pruning this one. */
export const runOptions: Options<PruneArgs> = {
  seed: integer({ default: 1, description: 'the same seed gives the same run' }),
  iterations: integer({ min: 1, description: 'optimizer steps, retraining included' }),
  prune_stop: integer({ min: 1, description: 'the step from which nothing more is pruned' }),
  search_every: integer({ min: 1, description: 'steps between searches' }),
  schedule: choice(SCHEDULES, { description: 'to a ratio along a curve, or as far as the accuracy allows' }),
  curve: choice(CURVES, { description: 'how fast it goes there, for gradual' }),
  curve_end: number({ min: 0.01, max: 1, description: 'the part of the rounds in which it gets there' }),
  target_ratio: number({
    min: 1,
    description: 'all parameters divided by those that are kept at the end, for gradual',
  }),
  method: choice(SEARCH_METHODS, { description: 'how the layers’ rates, how much of each goes, are searched for' }),
  search_budget: integer({ min: 4, description: 'candidates of each search' }),
  search_images: integer({ min: 1, description: 'images that a candidate is scored on, of those kept back' }),
  saliency: choice(SALIENCIES, { description: 'what the least of is pruned: magnitude, or loss by gradients' }),
  saliency_images: integer({ min: 1, description: 'training images per round to measure fisher on' }),
  regrow: number({
    min: 0,
    max: 0.9,
    description: 'the part of what is kept that comes back anew in a round, for fisher',
  }),
  shares: text({
    placeholder: 'HOW',
    description: `what each layer keeps: ${SHARES.join(', ')}, or numbers as 1770,477,102`,
  }),
  delta: number({
    min: 0,
    max: 1,
    description: 'accuracy that a round of search may lose, 0.01 for one image of a hundred',
  }),
  caps: text({
    placeholder: 'LAYERS',
    description: 'part of a layer that may be pruned at most, as ip3=0.9,ip1=0.999',
  }),
  rates: text({ placeholder: 'RATES', description: 'rates to begin with, for olmp: one, or one for each layer' }),
  rate_min: number({ description: 'the least rate of a layer, for olmp' }),
  rate_max: number({ description: 'the greatest rate of a layer, for olmp' }),
  gamma: number({ min: 0, description: 'how fast layers take part in surgery less often, for olmp' }),
  masked: choice(['learn', 'stay'], { description: 'whether what is pruned goes on learning, and may come back' }),
  batch_size: integer({ min: 1, description: 'images per step' }),
  learning_rate: number({ above: 0, description: 'how far a step goes while pruning' }),
  retrain_learning_rate: number({ above: 0, description: 'how far the first step of retraining goes' }),
  momentum: number({ min: 0, max: 0.999999, description: 'how much of the last step stays' }),
  weight_decay: number({ min: 0, description: 'how fast weights fade' }),
  shift: number({ min: 0, max: 1, description: 'part of the training images that are moved by a pixel' }),
  validation: number({
    above: 0,
    max: 0.9,
    description: 'part of the training images that is kept back, to choose by',
  }),
};

/** How a network is pruned on one machine. */
export const pruneOptions: Options<PruneArgs & { readonly resume: boolean; readonly sensitivity: boolean }> = {
  ...runOptions,
  resume: flag({ description: 'go on from the last round, bit for bit' }),
  sensitivity: flag({ description: 'prune nothing: measure accuracy against rate, layer by layer' }),
};

/**
 * What was said, as settings.
 *
 * @throws ArgumentError `E_ARGUMENT_VALUE` for a list that is none
 * @example
 * choicesOf({ ...parseOptions(pruneOptions, ['--caps', 'ip3=0.9']).values }).caps; // { ip3: 0.9 }
 */
export function choicesOf(args: PruneArgs): PruneChoices {
  const { caps, rates, shares } = args;
  // In OLMP what is pruned may come back, which it does by learning; and magnitudes are looked at before every step.
  const isOlmp = args.schedule === 'olmp';
  const named = SHARES.find((name) => name === shares);
  return {
    seed: args.seed,
    iterations: args.iterations,
    prune_stop: args.prune_stop,
    search_every: args.search_every,
    schedule: args.schedule,
    curve: args.curve,
    curve_end: args.curve_end,
    target_ratio: args.target_ratio,
    method: args.method,
    search_budget: args.search_budget,
    search_images: args.search_images,
    saliency: args.saliency ?? (isOlmp ? 'magnitude' : undefined),
    saliency_images: args.saliency_images,
    // By magnitudes nothing is known of what is masked.
    regrow: args.regrow ?? (isOlmp || args.saliency === 'magnitude' ? 0 : undefined),
    shares: named ?? (shares ? numbers('--shares', shares) : undefined),
    delta: args.delta,
    caps: caps ? capsOf(caps) : undefined,
    rates: rates ? numbers('--rates', rates) : undefined,
    rate_min: args.rate_min,
    rate_max: args.rate_max,
    gamma: args.gamma,
    masked: args.masked ?? (isOlmp ? 'learn' : undefined),
    batch_size: args.batch_size,
    learning_rate: args.learning_rate,
    retrain_learning_rate: args.retrain_learning_rate,
    momentum: args.momentum,
    weight_decay: args.weight_decay,
    shift: args.shift,
    validation: args.validation,
  };
}

function capsOf(list: string): Readonly<Record<string, number>> {
  const caps = new Map<string, number>();
  for (const written of list.split(',')) {
    const [, name, part] = /^([^=]+)=(\d*\.?\d+)$/.exec(written.trim()) ?? [];
    if (name === undefined || Number(part) > 1) {
      throw new ArgumentError(
        'E_ARGUMENT_VALUE',
        `--caps ${written}: expected a layer and a part from 0 to 1, as ip3=0.9`,
      );
    }
    if (caps.has(name)) throw new ArgumentError('E_ARGUMENT_VALUE', `--caps ${list}: names ${name} twice`);
    caps.set(name, Number(part));
  }
  return Object.fromEntries(caps);
}

function numbers(name: string, list: string): number[] {
  return list.split(',').map((one) => {
    const value = Number(one);
    if (one.trim() !== '' && Number.isFinite(value)) return value;
    throw new ArgumentError(
      'E_ARGUMENT_VALUE',
      `${name} ${list}: expected numbers with commas between, as 1770,477,102`,
    );
  });
}
