/** What the variables of a task say on C2Net, and on Qizhi since it has the same: the `c2net` package's. */
import { z } from 'zod';
import { ArgumentError } from '../base/errors.js';
import { log } from '../base/log.js';
import { nameOf } from '../storage/url.js';
import { type NamedUrl, readUrlList } from './url-list.js';

/** Code, data sets, or models: where they come from and where they go. */
export interface Supply {
  /** As markers and errors call it. */
  readonly kind: 'code' | 'dataset' | 'pretrainmodel';
  /** Where it goes, or is mounted; undefined where the task has none. */
  readonly path: string | undefined;
  /** Empty where the task has none, and where it is mounted. */
  readonly sources: readonly NamedUrl[];
  readonly needsUnzip: boolean;
}

export interface C2netSettings {
  readonly method: 'MOXING' | 'MOUNT';
  readonly code: Supply;
  readonly dataset: Supply;
  readonly pretrainModel: Supply;
  readonly outputPath: string;
  readonly outputUrl: string | undefined;
  readonly tensorboardPath: string | undefined;
}

/** Whether the platform gives its data by these variables. */
export function isC2netTask(env: NodeJS.ProcessEnv = process.env): boolean {
  return env['DATA_DOWNLOAD_METHOD'] !== undefined;
}

/**
 * Reads the variables.
 *
 * @throws ArgumentError `E_ENVIRONMENT` naming the one that is missing or wrong
 * @example
 * readC2netSettings({ DATA_DOWNLOAD_METHOD: 'MOUNT', LOCAL_OUTPUT_PATH: '/tmp/output' }).outputPath; // '/tmp/output'
 */
export function readC2netSettings(env: NodeJS.ProcessEnv = process.env): C2netSettings {
  const method = METHOD.safeParse(env['DATA_DOWNLOAD_METHOD']).data;
  if (method === undefined) {
    const given = env['DATA_DOWNLOAD_METHOD'] ?? 'not set';
    throw wrongVariable(
      'DATA_DOWNLOAD_METHOD',
      `is ${given}: the platform sets MOXING, to copy, or MOUNT, where data is there already`,
    );
  }
  const supply = (kind: Supply['kind'], prefix: string, read: (url: string) => readonly NamedUrl[]): Supply => {
    const url = method === 'MOUNT' ? undefined : variableValue(env, `${prefix}_URL`);
    const sources = url === undefined ? [] : read(url);
    const path = variableValue(env, `LOCAL_${prefix}_PATH`);
    if (sources.length > 0 && path === undefined) {
      throw wrongVariable(`LOCAL_${prefix}_PATH`, `is not set: it says where to bring what ${prefix}_URL names`);
    }
    // A folder to which nothing was brought is not where anything lies.
    const isThere = method === 'MOUNT' || sources.length > 0;
    return { kind, path: isThere ? path : undefined, sources, needsUnzip: yes(env, `${prefix}_NEED_UNZIP`) };
  };
  const outputPath = variableValue(env, 'LOCAL_OUTPUT_PATH');
  if (outputPath === undefined)
    throw wrongVariable('LOCAL_OUTPUT_PATH', 'is not set: it says where results are written');
  return {
    method,
    code: supply('code', 'CODE', (url) => [{ name: nameOf(url), url }]),
    dataset: supply('dataset', 'DATASET', (list) => entries('DATASET_URL', list, 'dataset')),
    pretrainModel: supply('pretrainmodel', 'PRETRAIN_MODEL', (list) => entries('PRETRAIN_MODEL_URL', list, 'model')),
    outputPath,
    outputUrl: variableValue(env, 'OUTPUT_URL'),
    tensorboardPath: variableValue(env, 'LOCAL_TENSORBOARD_PATH'),
  };
}

/** The error for a variable. */
export function wrongVariable(name: string, what: string): ArgumentError {
  return new ArgumentError('E_ENVIRONMENT', `the variable ${name} ${what}`);
}

const METHOD = z.enum(['MOXING', 'MOUNT']);

/** What the launchers of platforms, written in other languages, put into a variable that they have no value for. */
const NOTHING: ReadonlySet<string> = new Set(['None', 'none', 'null', 'undefined']);

const warned = new Set<string>();

/** A variable's value; undefined where it is empty, and where it is a word for nothing, which is said once. */
export function variableValue(env: NodeJS.ProcessEnv, name: string): string | undefined {
  const given = env[name]?.trim() ?? '';
  if (given === '') return undefined;
  if (!NOTHING.has(given)) return given;
  if (!warned.has(name)) log.warn(`the variable ${name} holds the word ${given}, which counts as not set`);
  warned.add(name);
  return undefined;
}

function yes(env: NodeJS.ProcessEnv, name: string): boolean {
  const given = variableValue(env, name)?.toLowerCase() ?? 'false';
  if (given === 'true' || given === 'false') return given === 'true';
  throw wrongVariable(name, `is ${given}: expected true or false`);
}

function entries(name: string, given: string, listed: 'dataset' | 'model'): readonly NamedUrl[] {
  const read = readUrlList(given, listed);
  if ('fault' in read) throw wrongVariable(name, `cannot be read: ${read.fault}`);
  return read.list;
}
