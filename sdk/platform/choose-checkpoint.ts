/** Which checkpoint a job begins with, from all the ways in which the platforms name one. */
import { ArgumentError, CheckpointError } from '../base/errors.js';
import { hasMnist } from '../dataset/mnist.js';
import { stat } from '../storage/calls.js';
import { storeFor } from '../storage/stores.js';
import { joinUrl, nameOf, shownUrl } from '../storage/url.js';
import { prepare } from './c2net.js';
import { isC2netTask } from './c2net-settings.js';
import type { DataSets } from './data-sets.js';
import { prepareData } from './prepare.js';
import { folderNameOf, type NamedUrl } from './url-list.js';

/** The flags that name one. */
export interface CheckpointArgs {
  readonly ckpt_url?: string | undefined;
  readonly pretrain_url?: readonly NamedUrl[] | undefined;
}

/**
 * The URL of the checkpoint that is meant: `--ckpt_url`; else the one model of `--pretrain_url`, a file, or a folder or archive that
 * holds one checkpoint; else the one model that `prepare` brought; else the one checkpoint in the data sets that hold no images.
 *
 * @returns undefined where there is none
 * @throws ArgumentError `E_CKPT_CHOICE` where there are several, naming them; CheckpointError `E_CKPT_READ` for a model without one
 * @example
 * await chooseCheckpoint({ ckpt_url: 's3://bucket/a.ckpt' }); // 's3://bucket/a.ckpt'
 */
export async function chooseCheckpoint(
  { ckpt_url: url, pretrain_url: models = [] }: CheckpointArgs,
  { dataSets = {} }: { readonly dataSets?: DataSets } = {},
): Promise<string | undefined> {
  if (url !== undefined) return url;
  if (models.length > 1)
    throw severalOf(
      '--pretrain_url names',
      models.map(({ url: model }) => model),
    );
  if (models.length === 1) return checkpointOf(models[0]);
  const brought = isC2netTask() ? (await prepare()).pretrainModelPath : undefined;
  if (brought !== undefined) return onlyOne(await checkpointsIn(brought), brought);

  const found: string[] = [];
  for (const folder of Object.values(dataSets)) {
    if (!(await hasMnist(folder, 'train')) && !(await hasMnist(folder, 'test')))
      found.push(...(await checkpointsIn(folder)));
  }
  if (found.length > 1) throw severalOf('the data sets hold', found);
  return found.at(0);
}

/**
 * As {@link chooseCheckpoint}, for a job that cannot do without.
 *
 * @throws ArgumentError `E_ARGUMENT_REQUIRED` where there is none
 */
export async function requireCheckpoint(
  args: CheckpointArgs,
  options: { readonly dataSets?: DataSets } = {},
): Promise<string> {
  const url = await chooseCheckpoint(args, options);
  if (url !== undefined) return url;
  throw new ArgumentError(
    'E_ARGUMENT_REQUIRED',
    'no checkpoint to begin with: choose a model in the task form, or name one with --ckpt_url',
  );
}

async function checkpointOf({ name, url }: NamedUrl): Promise<string> {
  const { kind } = await stat(url);
  if (kind === 'folder') return onlyOne(await checkpointsIn(url), url);
  if (folderNameOf(nameOf(url)) === nameOf(url)) return url;
  // What a training task on C2Net leaves is a zip.
  return onlyOne(await checkpointsIn(await prepareData(url, { name: `${folderNameOf(name)}.model` })), url);
}

function onlyOne(urls: readonly string[], place: string): string {
  if (urls.length === 1) return urls[0];
  if (urls.length > 1) throw severalOf(`${shownUrl(place)} holds`, urls);
  throw new CheckpointError('E_CKPT_READ', `${shownUrl(place)}: holds no checkpoint (.ckpt, .safetensors, …)`);
}

function severalOf(what: string, urls: readonly string[]): ArgumentError {
  const listed = urls.slice(0, 4).map(shownUrl).join(', ') + (urls.length > 4 ? ', …' : '');
  const [count, choice] = [urls.length, 'name the one to begin with: --ckpt_url URL'];
  return new ArgumentError('E_CKPT_CHOICE', `${what} ${count} models: ${listed}; ${choice}`);
}

/** The checkpoints below a folder of any store, but for what macOS and killed writers leave behind. */
async function checkpointsIn(folder: string): Promise<readonly string[]> {
  const urls: string[] = [];
  for await (const { name } of (await storeFor(folder)).list(folder)) {
    const parts = name.split('/');
    if (parts.some((part) => part.startsWith('.') || part === '__MACOSX')) continue;
    if (/(\.(ckpt|safetensors|caffemodel)|^model\.json)$/i.test(nameOf(name))) urls.push(joinUrl(folder, name));
  }
  return urls;
}
