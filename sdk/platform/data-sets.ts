/** A task's data sets: all that the platform names, brought here, and which of them is the one to train on. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ArgumentError, DatasetError, MindtsError } from '../base/errors.js';
import { hasMnist } from '../dataset/mnist.js';
import { showTree } from '../dataset/show-tree.js';
import { nameOf } from '../storage/url.js';
import { prepare } from './c2net.js';
import { isC2netTask } from './c2net-settings.js';
import { innermost, prepareData } from './prepare.js';
import { folderNameOf, type NamedUrl } from './url-list.js';

/** From the name of a data set, without `.zip` and the like, to the folder where it lies. */
export type DataSets = Readonly<Record<string, string>>;

/**
 * Brings data sets here, each as {@link prepareData} does, into a folder of its own: on a platform `/cache/data/<name>`. Where one
 * fails, the others are brought all the same, and the next run finds them there.
 *
 * @param args multi_data_url: the data sets; data_url: the one that there is where the platform gives no list; without either, those
 *   that {@link prepare} finds in the variables of a task of C2Net
 * @throws ArgumentError `E_ARGUMENT_REQUIRED` for neither; DatasetError `E_DATA_SETS` naming those that failed, and why
 * @example
 * await prepareDataSets({ multi_data_url: [{ name: 'digits', url: 'builtin:digits' }] }).then(Object.keys); // ['digits']
 */
export async function prepareDataSets({
  multi_data_url: list,
  data_url: only,
}: {
  readonly multi_data_url?: readonly NamedUrl[] | undefined;
  readonly data_url?: string | undefined;
}): Promise<DataSets> {
  const wanted = list ?? (only === undefined ? [] : [{ name: nameOf(only), url: only }]);
  if (wanted.length === 0 && isC2netTask()) return foldersIn((await prepare()).datasetPath);
  if (wanted.length === 0) {
    throw new ArgumentError(
      'E_ARGUMENT_REQUIRED',
      '--multi_data_url names no data set: choose one in the task form, or give it; --help describes it',
    );
  }
  const folders = new Map<string, string>();
  const failures: string[] = [];
  // One after the other, each with many files under way; ranks that wait for their first one do so in one order.
  for (const { name, url } of wanted) {
    try {
      folders.set(folderNameOf(name), await prepareData(url, { name: folderNameOf(name) }));
    } catch (error) {
      if (!(error instanceof MindtsError) || wanted.length === 1) throw error;
      failures.push(error.message.startsWith('data set ') ? error.message : `data set ${name}: ${error.message}`);
    }
  }
  if (failures.length === 0) return Object.fromEntries(folders);
  const which = `${failures.length} of ${wanted.length} data sets could not be prepared`;
  const kept = failures.length < wanted.length ? ' (the others are kept for the next run)' : '';
  throw new DatasetError('E_DATA_SETS', `${which}${kept}: ${failures.join('; ')}`);
}

/** What `prepare` brought. */
async function foldersIn(path: string | undefined): Promise<DataSets> {
  if (path === undefined)
    throw new ArgumentError('E_ENVIRONMENT', 'this task has no data set: choose one in the task form');
  const entries = await readdir(path, { withFileTypes: true });
  const folders = entries.filter((entry) => entry.isDirectory() && !/^(\.|__MACOSX$)/.test(entry.name));
  return Object.fromEntries(
    await Promise.all(folders.map(async ({ name }) => [name, await innermost(join(path, name))] as const)),
  );
}

/**
 * The one data set that holds images in MNIST's format.
 *
 * @param args dataset_name: which one it is, where several do; split: what it must hold at least
 * @returns its folder, for `mnist`
 * @throws ArgumentError `E_ARGUMENT_VALUE` for a name that none has, `E_DATASET_NAME` where several hold images; DatasetError
 * `E_NOT_FOUND`, showing what is there, where none does
 */
export async function chooseDataSet(
  dataSets: DataSets,
  {
    dataset_name: named,
    split = 'train',
  }: { readonly dataset_name?: string | undefined; readonly split?: 'train' | 'test' },
): Promise<string> {
  const names = Object.keys(dataSets);
  const wanted = named === undefined ? names : names.filter((name) => name === folderNameOf(named));
  if (wanted.length === 0) {
    throw new ArgumentError('E_ARGUMENT_VALUE', `--dataset_name ${named}: the data sets are ${names.join(', ')}`);
  }
  const holding: string[] = [];
  for (const name of wanted) if (await hasMnist(dataSets[name], split)) holding.push(name);
  if (holding.length === 1) return dataSets[holding[0]];
  if (holding.length > 1) {
    const which = `${holding.length} data sets hold images: ${holding.join(', ')}`;
    throw new ArgumentError('E_DATASET_NAME', `${which}; say which one it is with --dataset_name`);
  }
  const trees = await Promise.all(wanted.map(async (name) => `${name} holds ${await showTree(dataSets[name])}`));
  const looked = `no data set here has a ${split}/ folder of MNIST's files (${split === 'train' ? 'train' : 't10k'}-images-idx3-ubyte, …)`;
  throw new DatasetError('E_NOT_FOUND', `${looked}: ${trees.join('; ')}`);
}
