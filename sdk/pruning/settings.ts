/**
 * How a network is pruned, as plain data: all that makes two runs differ besides the data, the network and its parameters. What a person
 * does not say is taken from configs/pruning.yaml, which has settings for all networks and some for one network alone.
 */
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { PruneSettingsError, systemReason } from '../base/errors.js';
import { readRegular } from '../base/files.js';
import { packageRoot } from '../base/package.js';
import type { Split } from './course.js';
import type { PrunedLayer } from './pruned-layers.js';

/** How rates are searched for. */
export const SEARCH_METHODS = ['ncs', 'cma-es', 'random', 'seed-compat'] as const;
/**
 * Where pruning goes. `gradual`: along a curve to a compression; of all rates that keep as many parameters as the curve has at a
 * round's end, the search looks for those with the smallest loss. `olmp`: the search looks for the fewest parameters.
 */
export const SCHEDULES = ['gradual', 'olmp'] as const;
/**
 * How many parameters are kept on the way there: `cubic`, as Zhu and Gupta have it; `geometric`: a part of what is left at each round, so that most
 * rounds are where little is left.
 */
export const CURVES = ['cubic', 'geometric'] as const;
/** What thresholds are over: a parameter's magnitude, or what the loss would lose with it, see saliency.ts. */
export const SALIENCIES = ['magnitude', 'fisher'] as const;
/** Where the rates of layers come from in `gradual`: searched; one threshold for all; the same part of each. Or numbers: kept of each layer, as proportions. */
export const SHARES = ['searched', 'global', 'uniform'] as const;

const count = (least: number): z.ZodInt => z.int().min(least);
const rate = z.number().positive();

/** All settings of a run. */
export const pruneSettings = z.strictObject({
  seed: z.int(),
  /** Optimizer steps, all together. */
  iterations: count(1),
  /** From here on masks stay as they are. */
  prune_stop: count(1),
  /** Steps from one round to the next. */
  search_every: count(1),
  method: z.enum(SEARCH_METHODS),
  /** Candidates of a round. */
  search_budget: count(4),
  /** Images of the validation split that each candidate is scored on. */
  search_images: count(1),
  schedule: z.enum(SCHEDULES),
  /** How `gradual` goes there. */
  curve: z.enum(CURVES),
  /** The part of the rounds in which it gets there; the others keep as many. */
  curve_end: z.number().gt(0).max(1),
  /** total / kept that `gradual` ends with, before dead units go. */
  target_ratio: z.number().min(1),
  saliency: z.enum(SALIENCIES),
  /** Training images that `fisher` is measured on in each round, at most all. */
  saliency_images: count(1),
  /** The part of what a round leaves that is chosen anew among what was masked, see regrow.ts; with `fisher` alone. */
  regrow: z.number().min(0).max(0.9),
  shares: z.union([z.enum(SHARES), z.array(z.number().positive())]),
  /** How much accuracy a candidate may lose against the network as the round finds it; 0.08: eight of a hundred images. */
  delta: z.number().min(0).max(1),
  /** By layer, the part of it that may be pruned at most. */
  caps: z.record(z.string(), z.number().min(0).max(1)),
  rate_min: z.number(),
  rate_max: z.number(),
  /** The rates that `olmp` begins with, one for each layer, or one for all. */
  rates: z.array(z.number()).min(1),
  /** γ of the probability with which a layer takes part in a step's surgery, (1 + γ · iteration)^−1; `olmp` alone. */
  gamma: z.number().min(0),
  /** Whether what is masked goes on learning, and may come back, or stays as it is. */
  masked: z.enum(['learn', 'stay']),
  batch_size: count(1),
  /** While pruning: base · (1 + 0.0001 · iteration)^−0.75, Caffe's `inv`. */
  learning_rate: rate,
  /** After it: from here to 0 along half a cosine. */
  retrain_learning_rate: rate,
  momentum: z.number().min(0).max(0.999999),
  weight_decay: z.number().min(0),
  /** The part of the training images that are moved by a pixel, drawn anew in each epoch. */
  shift: z.number().min(0).max(1),
  /** The part of the training images that is kept back, to choose by. */
  validation: z.number().gt(0).lt(1),
});
/** All settings of a run. */
export type PruneSettings = z.infer<typeof pruneSettings>;

/** What a person may say; what is missing is the file's. */
export type PruneChoices = { readonly [K in keyof PruneSettings]?: PruneSettings[K] | undefined };

/**
 * The settings of a run: a person's choices, else what configs/pruning.yaml has for the network, else what it has for all.
 *
 * @throws PruneSettingsError `E_SETTINGS` for settings that cannot be, naming each
 * @example
 * (await settingsFor('lenet300-100', { seed: 7 })).seed; // 7
 */
export async function settingsFor(
  network: string,
  choices: PruneChoices,
  path: string = join(packageRoot, 'configs', 'pruning.yaml'),
): Promise<PruneSettings> {
  const { all, ...sections } = await readSections(path);
  const chosen = Object.fromEntries(Object.entries(choices).filter(([, value]) => value !== undefined));
  const merged = { ...all, ...sections[network], ...chosen };
  const stop = chosen['prune_stop'] ?? stopFor({ ...all, ...sections[network] }, choices.iterations);
  const given = { ...merged, prune_stop: stop };
  const parsed = pruneSettings.safeParse({ ...given, search_every: roundsFor(given, choices.search_every) });
  if (!parsed.success) {
    const faults = parsed.error.issues.map((issue) => `${issue.path.join('.') || issue.code}: ${issue.message}`);
    throw new PruneSettingsError('E_SETTINGS', `settings of pruning (flags, then ${path}): ${faults.join('; ')}`);
  }
  const settings = parsed.data;
  requireOrder(settings, path);
  if (settings.saliency === 'fisher' && settings.schedule === 'olmp') {
    throw wrong('--saliency fisher goes with --schedule gradual; olmp looks at magnitudes before every step');
  }
  return settings;
}

/**
 * What configs/pruning.yaml has for each setting, for people: `30000, lenet5-caffe 60000`.
 *
 * @example
 * (await settingDefaults())['momentum']; // '0.9'
 */
export async function settingDefaults(
  path: string = join(packageRoot, 'configs', 'pruning.yaml'),
): Promise<Readonly<Record<string, string>>> {
  const { all, ...sections } = await readSections(path);
  const shown = Object.entries(all).map(([name, value]) => {
    const own = Object.entries(sections).flatMap(([network, section]) =>
      Object.hasOwn(section, name) ? [`${network} ${String(section[name])}`] : [],
    );
    return [name, [String(value), ...own].join(', ')] as const;
  });
  // An empty map has no text.
  return Object.fromEntries(shown.filter(([name]) => name !== 'caps'));
}

/** A run of another length than the file's prunes in the same part of it. */
function stopFor(file: Readonly<Record<string, unknown>>, chosen: number | undefined): unknown {
  const { iterations, prune_stop: stop } = file;
  if (chosen === undefined || typeof iterations !== 'number' || typeof stop !== 'number') return stop;
  return Math.ceil((stop * chosen) / iterations);
}

/** A run that is shorter than the file's has its rounds closer together, or a few would have to prune all. */
function roundsFor(merged: Readonly<Record<string, unknown>>, chosen: number | undefined): unknown {
  const { search_every: every, prune_stop: stop } = merged;
  if (chosen !== undefined || typeof every !== 'number' || typeof stop !== 'number') return every;
  return Math.max(1, Math.min(every, Math.floor(stop / LEAST_ROUNDS)));
}

/** In so many a network comes to a hundredth; all settings in the file have at least these. */
const LEAST_ROUNDS = 30;

/**
 * That settings which name layers, have a number for each, or go by their size, fit a network's layers.
 *
 * @throws PruneSettingsError `E_SETTINGS`
 */
export function requireLayers(
  { caps, rates, shares, schedule, target_ratio: ratio }: PruneSettings,
  layers: readonly PrunedLayer[],
): void {
  const names = layers.map(({ name }) => name).join(', ');
  const unknown = Object.keys(caps).find((name) => !layers.some((layer) => layer.name === name));
  if (unknown !== undefined) throw wrong(`--caps names ${unknown}, and the layers are ${names}`);
  if (rates.length !== 1 && rates.length !== layers.length) {
    throw wrong(`--rates has ${rates.length} numbers; give one, or one for each of ${names}`);
  }
  if (typeof shares !== 'string' && shares.length !== layers.length) {
    throw wrong(`--shares has ${shares.length} numbers; give one for each of ${names}`);
  }
  const total = layers.reduce((sum, { size }) => sum + size, 0);
  if (schedule === 'gradual' && ratio > total) {
    throw wrong(`--target_ratio ${ratio} keeps nothing: ${names} have ${total} parameters together`);
  }
  const held = layers.reduce((sum, { name, size }) => sum + size * (1 - (caps[name] ?? 1)), 0);
  if (schedule === 'gradual' && held > total / ratio) {
    const most = Math.floor(total / ratio);
    throw wrong(`--caps keep ${Math.ceil(held)} parameters, and --target_ratio ${ratio} asks for at most ${most}`);
  }
}

/**
 * That a data set has images for a batch.
 *
 * @param data source: for people; split: of its training images
 * @throws PruneSettingsError `E_SETTINGS`
 */
export function requireImages(
  { batch_size: batch }: PruneSettings,
  { source, split: { training } }: { readonly source: string; readonly split: Split },
): void {
  if (training.length >= batch) return;
  throw wrong(`${source}: ${training.length} images are left to train on, fewer than --batch_size ${batch}`);
}

function requireOrder(
  { iterations, prune_stop, rate_min, rate_max, rates, regrow, saliency, schedule }: PruneSettings,
  path: string,
): void {
  if (regrow > 0 && (saliency !== 'fisher' || schedule !== 'gradual')) {
    throw wrong(
      `--regrow ${regrow} goes by gradients along a curve: give --saliency fisher and --schedule gradual, or --regrow 0`,
    );
  }
  if (prune_stop > iterations) {
    throw wrong(
      `--prune_stop ${prune_stop} comes after the last of --iterations ${iterations} (${path} has what no flag says)`,
    );
  }
  if (!(rate_min < rate_max)) throw wrong(`--rate_min ${rate_min} is not below --rate_max ${rate_max}`);
  const outside = rates.find((one) => one < rate_min || one > rate_max);
  if (outside !== undefined) {
    throw wrong(
      `--rates: ${outside} is out of bounds; a rate is from ${rate_min} (--rate_min) to ${rate_max} (--rate_max)`,
    );
  }
}

function wrong(what: string): PruneSettingsError {
  return new PruneSettingsError('E_SETTINGS', what);
}

async function readSections(path: string): Promise<Record<string, Record<string, unknown>>> {
  let content: unknown;
  try {
    content = parse((await readRegular(path)).toString());
  } catch (cause) {
    throw new PruneSettingsError('E_SETTINGS', `cannot read ${path}: ${systemReason(cause).split('\n')[0]}`, { cause });
  }
  const sections = z.record(z.string(), z.record(z.string(), z.unknown())).safeParse(content);
  if (sections.success) return sections.data;
  throw new PruneSettingsError(
    'E_SETTINGS',
    `${path}: must hold sections, "all" and names of networks, each with settings`,
  );
}
