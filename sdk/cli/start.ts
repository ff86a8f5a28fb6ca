/** Where training starts, as `--ckpt_url` and `--ckpt_skip` say. */
import { ArgumentError } from '../base/errors.js';
import { log } from '../base/log.js';
import { loadCheckpoint } from '../checkpoint/checkpoint.js';
import { fetchCheckpoint } from '../platform/prepare.js';
import { shownUrl } from '../storage/url.js';
import type { Model } from '../train/model.js';

/**
 * Fetches the checkpoint of `--ckpt_url`, where there is one.
 *
 * @returns gives a model its parameters, but those of `--ckpt_skip`, and says so; without a checkpoint it does nothing
 * @throws ArgumentError `E_ARGUMENT_REQUIRED` for layers to skip of no checkpoint
 * @throws CheckpointError as `fetchCheckpoint` and `loadCheckpoint` do; what is returned, as `Model.load` does
 */
export async function fetchStart({
  ckpt_url: url,
  ckpt_skip: names,
}: {
  readonly ckpt_url: string | undefined;
  readonly ckpt_skip: string | undefined;
}): Promise<(model: Model) => void> {
  if (!url) {
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
