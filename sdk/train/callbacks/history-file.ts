import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { systemCode } from '../../base/errors.js';
import { writeFileAtomic } from '../../base/files.js';
import { log } from '../../base/log.js';
import type { Callback, EpochRecord, Run } from '../callback.js';

const record = z.object({
  epoch: z.int(),
  step: z.int(),
  loss: z.number(),
  accuracy: z.number(),
  validationLoss: z.number().optional(),
  learningRate: z.number(),
  seconds: z.number(),
  imagesPerSecond: z.number(),
  communication: z.number().optional(),
});
const historyFile = z.object({ epochs: z.array(record) });

/** Keeps `history.json` in a folder: one record per epoch under `epochs`. A resumed run goes on with the file it finds. */
export class HistoryFile implements Callback {
  readonly name = 'HistoryFile';
  readonly isFirstRankOnly = true;
  private readonly path: string;

  constructor({ folder }: { readonly folder: string }) {
    this.path = join(folder, 'history.json');
  }

  async onTrainBegin(run: Run): Promise<void> {
    if (run.firstStep > 0) run.history.push(...(await this.read()).filter(({ step }) => step <= run.firstStep));
  }

  async onEpochEnd(run: Run): Promise<void> {
    await writeFileAtomic(this.path, `${JSON.stringify({ epochs: run.history }, undefined, 2)}\n`);
  }

  /** The records in the file; none, with a warning, when it is damaged: a resumed run does not need them. */
  private async read(): Promise<readonly EpochRecord[]> {
    let text: string;
    try {
      text = await readFile(this.path, 'utf8');
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return [];
      throw error;
    }
    const parsed = z.string().transform(parseJson).pipe(historyFile).safeParse(text);
    if (!parsed.success) {
      log.warn(`${this.path} is damaged: the history begins anew`);
      return [];
    }
    return parsed.data.epochs.map(({ validationLoss, communication, ...rest }) => ({
      ...rest,
      ...(validationLoss !== undefined && { validationLoss }),
      ...(communication !== undefined && { communication }),
    }));
  }
}

function parseJson(text: string, context: z.RefinementCtx<string>): unknown {
  try {
    return JSON.parse(text);
  } catch {
    context.addIssue({ code: 'custom', message: 'not JSON' });
    return z.NEVER;
  }
}
