/** The last words of a training run. */
import { basename } from 'node:path';
import { log } from '../base/log.js';
import { joinUrl } from '../storage/store.js';
import type { EpochRecord } from '../train/callback.js';

/** Prints the accuracy reached, where the checkpoint is, and the command to try next. */
export function printSummary(
  history: readonly EpochRecord[],
  {
    checkpoint,
    data_url,
    train_url,
  }: { readonly checkpoint: string | undefined; readonly data_url: string; readonly train_url: string },
): void {
  const last = history.at(-1);
  if (last === undefined || checkpoint === undefined) {
    log.info('nothing left to train');
    return;
  }
  const url = joinUrl(train_url, basename(checkpoint));
  log.info(`\naccuracy    ${(100 * last.accuracy).toFixed(2)} % on the test set after epoch ${last.epoch}`);
  log.info(`checkpoint  ${url}`);
  log.info(
    `next        npx mindts inference --data_url ${quoted(data_url)} --ckpt_url ${quoted(url)} --result_url result`,
  );
}

/** As one word for a shell. */
function quoted(word: string): string {
  return /^[\w./:@%+=,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
