/** Where training starts, as `--ckpt_url` and the platforms' other ways say, and `--ckpt_skip`. */
import { ArgumentError } from '../base/errors.js';
import { log } from '../base/log.js';
import { loadCheckpoint } from '../checkpoint/checkpoint.js';
import { type CheckpointArgs, chooseCheckpoint, requireCheckpoint } from '../platform/choose-checkpoint.js';
import type { DataSets } from '../platform/data-sets.js';
import { fetchCheckpoint } from '../platform/prepare.js';
import { shownUrl } from '../storage/url.js';
import type { Model } from '../train/model.js';

/**
 * Fetches the checkpoint that `--ckpt_url`, `--pretrain_url` or a data set holds, where there is one.
 *
 * @param options dataSets: where one may lie, too; required: refuses to start without
 * @returns gives a model its parameters, but those of `--ckpt_skip`, and says so; without a checkpoint it does nothing
 * @throws ArgumentError `E_ARGUMENT_REQUIRED` for layers to skip of no checkpoint, or none where one is required; `E_CKPT_CHOICE` for several
 * @throws CheckpointError as `fetchCheckpoint` and `loadCheckpoint` do; what is returned, as `Model.load` does
 */
export async function fetchStart(
  { ckpt_skip: names, ...args }: CheckpointArgs & { readonly ckpt_skip?: string | undefined },
  { dataSets = {}, required = false }: { readonly dataSets?: DataSets; readonly required?: boolean } = {},
): Promise<(model: Model) => void> {
  const url = await (required ? requireCheckpoint : chooseCheckpoint)(args, { dataSets });
  if (url === undefined) {
    if (!names) return () => {};
    throw new ArgumentError(
      'E_ARGUMENT_REQUIRED',
      `--ckpt_skip ${names}: without --ckpt_url every layer starts afresh; give the checkpoint too, or leave --ckpt_skip out`,
    );
  }
  const checkpoint = await loadCheckpoint(await fetchCheckpoint(url));
  const source = shownUrl(url);
  return (model) => {
    model.load(checkpoint, { source, skip: names ? names.split(',') : [] });
    log.info(`starting from ${source}${names ? `; ${names.split(',').join(', ')} afresh` : ''}`);
  };
}
