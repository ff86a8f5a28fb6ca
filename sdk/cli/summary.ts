/** The last words of a training run. */
import { basename } from 'node:path';
import type { Option } from '../args/option.js';
import { log } from '../base/log.js';
import { joinUrl } from '../storage/url.js';
import type { EpochRecord } from '../train/callback.js';
import { networkOptions } from './options.js';

/** What a run was asked for, as far as the next command needs it. */
interface Asked {
  /** Undefined where no single URL says it. */
  readonly data_url: string | undefined;
  readonly train_url: string;
  readonly network?: string | undefined;
  readonly num_classes?: number | undefined;
  readonly image_height?: number | undefined;
  readonly image_width?: number | undefined;
}

/** Prints the accuracy reached, where the checkpoint is, and the command to try next. */
export function printSummary(
  history: readonly EpochRecord[],
  { checkpoint, ...asked }: Asked & { readonly checkpoint: string | undefined },
): void {
  const last = history.at(-1);
  if (last === undefined || checkpoint === undefined) {
    log.info('nothing left to train');
    return;
  }
  const url = joinUrl(asked.train_url, basename(checkpoint));
  log.info(`\naccuracy    ${(100 * last.accuracy).toFixed(2)} % on the test set after epoch ${last.epoch}`);
  log.info(`checkpoint  ${url}`);
  if (asked.data_url === undefined) return;
  const data = `--data_url ${quoted(asked.data_url)} --ckpt_url ${quoted(url)}`;
  log.info(`next        npx mindts inference ${data}${networkFlags(asked)} --result_url result`);
}

/** The flags that build the same network again, those with their defaults left out. */
function networkFlags(asked: Asked): string {
  const flags = (['network', 'num_classes', 'image_height', 'image_width'] as const).filter((flag) => {
    const option: Option<unknown> = networkOptions[flag];
    return asked[flag] !== undefined && (option.required || asked[flag] !== option.default);
  });
  return flags.map((flag) => ` --${flag} ${asked[flag]}`).join('');
}

/** As one word for a shell. */
function quoted(word: string): string {
  return /^[\w./:@%+=,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
