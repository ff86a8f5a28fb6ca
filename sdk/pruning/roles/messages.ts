/** What the roles of a run tell one another, in their journals and on the board. */
import { z } from 'zod';
import { NETWORK_NAMES } from '../../nn/networks.js';
import { DataRef } from '../farm/data.js';
import { generationSchema, ratesSchema, scoreSchema } from '../round.js';
import { pruneSettings } from '../settings.js';

/** What is run, as main says it in `run.json`. */
export const ClusterRun = z.strictObject({
  kind: z.literal('prune'),
  network: z.enum(NETWORK_NAMES),
  classes: z.int().min(2),
  /** Of images; each network has its own. */
  height: z.int().min(1).nullable(),
  width: z.int().min(1).nullable(),
  settings: pruneSettings,
  /** The dense network's parameters, as bytes of float32. */
  parameters: DataRef,
});
export type ClusterRun = z.infer<typeof ClusterRun>;

/** main/turns: the trainer may take a turn, which is a round of search where there is one, training, and a look. */
export const Turn = z.strictObject({ turn: z.int().min(0) });

/** What makes candidates comparable: the trainer's snapshot, its images by their checksum, and what it computes with. */
export const Common = z.strictObject({ snapshot: DataRef, data: z.string(), engine: z.string() });
export type Common = z.infer<typeof Common>;

/** trainer/searches: a round that the search shall find rates for. */
export const Wanted = z.strictObject({
  ...Common.shape,
  round: z.int().min(0),
  images: z.int().min(1),
  reference: z.int().min(0),
  goal: z.int().min(0).nullable(),
});

/** trainer/states: what a turn came to, and what the trainer goes on from. */
export const TurnDone = z.strictObject({
  iteration: z.int().min(0),
  kept: z.int().min(0),
  total: z.int().min(0),
  /** On the validation split. */
  accuracy: z.number(),
  state: DataRef,
});
export type TurnDone = z.infer<typeof TurnDone>;

/** trainer/results: the end; the files are where the trainer was told to put them. */
export const Outcome = z.strictObject({
  url: z.string(),
  ratio: z.number(),
  accuracy: z.number(),
  accuracyBefore: z.number(),
});
export type Outcome = z.infer<typeof Outcome>;

/** What the trainer says of itself with its signs of life; the search says how far its round is, see round-progress.ts. */
export const TrainerProgress = z.strictObject({
  iteration: z.int().min(0),
  /** Of the whole run, where that is known. */
  secondsLeft: z.number().optional(),
});
export type TrainerProgress = z.infer<typeof TrainerProgress>;

/** What an evaluator does. */
export const EvaluatorProgress = z.strictObject({
  /** Evaluated by it. */
  candidates: z.int().min(0),
  /** While it evaluates. */
  candidatesPerSecond: z.number().optional(),
});
export type EvaluatorProgress = z.infer<typeof EvaluatorProgress>;

/** search/generations. */
export const Told = generationSchema;

/** search/rates: what a round has found, null where nothing meets the constraint. */
export const Found = z.strictObject({
  round: z.int().min(0),
  rates: ratesSchema.nullable(),
  score: scoreSchema.nullable(),
  evaluated: z.int().min(0),
});
