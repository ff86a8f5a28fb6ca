/** Where results go on C2Net: to the folder that the platform collects, unless a URL is given. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeZip } from '../archive/make-zip.js';
import { log } from '../base/log.js';
import { theseRanks } from '../parallel/ranks.js';
import { copy, copyParallel } from '../storage/copy.js';
import { nameOf, shownUrl } from '../storage/url.js';
import { variableValue } from './c2net-settings.js';
import { workFolder } from './work-folders.js';

/**
 * Where a job's results go: the URL that it was given; else `OUTPUT_URL`; else the folder that the platform collects at the end,
 * `LOCAL_OUTPUT_PATH` or `/cache/output` (elsewhere `<cache>/output/c2net-<hash>`).
 *
 * @example
 * outputUrl('s3://bucket/out'); // 's3://bucket/out'
 */
export function outputUrl(given: string | undefined, env: NodeJS.ProcessEnv = process.env): string {
  // Where the platform has mounted the folder it wants no copy.
  const url = env['DATA_DOWNLOAD_METHOD'] === 'MOUNT' ? undefined : variableValue(env, 'OUTPUT_URL');
  return given ?? url ?? variableValue(env, 'LOCAL_OUTPUT_PATH') ?? collectedFolder();
}

/**
 * Brings what is in the output folder to `--model_url`, from rank 0 alone: as one zip where that URL ends in `.zip`, as C2Net's
 * `…/output/models.zip` does, else file by file. Without a URL nothing is to be done.
 *
 * @throws StorageError, ArchiveError as `copy` and the zip's writer do
 * @example
 * await writeFileAtomic('out/a.ckpt', 'seven');
 * await uploadModels('out', 'models.zip');
 */
export async function uploadModels(folder: string, url: string | undefined): Promise<void> {
  if (url === undefined) return;
  await theseRanks().onFirst(async () => {
    if (/\.zip$/i.test(nameOf(url))) await copyZip(folder, url);
    else await copyParallel(folder, url);
    log.info(`models in ${shownUrl(url)}`);
    return null;
  });
}

async function copyZip(folder: string, url: string): Promise<void> {
  const place = await mkdtemp(join(tmpdir(), 'mindts-'));
  try {
    await makeZip(folder, join(place, 'models.zip'));
    await copy(join(place, 'models.zip'), url);
  } finally {
    await rm(place, { recursive: true });
  }
}

function collectedFolder(): string {
  return workFolder('output', 'c2net://c2net');
}
