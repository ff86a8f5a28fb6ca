/** What a command prints when it may be much: as fast as its reader takes it, and no more once the reader went away. */
import { StorageError, systemCode, systemReason } from '../base/errors.js';
import { visible } from '../base/log.js';

/**
 * Writes chunks as they come. A reader that went away (`| head`) ends it in silence.
 *
 * @throws StorageError `E_WRITE` when stdout takes no more, such as a file on a full disk; and what `chunks` throws
 */
export async function printBytes(
  chunks: AsyncIterable<Uint8Array | string> | Iterable<Uint8Array | string>,
): Promise<void> {
  for await (const chunk of chunks) {
    const failure = await new Promise<Error | null | undefined>((resolve) => process.stdout.write(chunk, resolve));
    if (systemCode(failure) === 'EPIPE') return;
    if (failure)
      throw new StorageError('E_WRITE', `cannot write to stdout: ${systemReason(failure)}`, { cause: failure });
  }
}

/** Prints lines as they come, as {@link printBytes} does; on a terminal with their control characters written out. */
export async function printLines(lines: AsyncIterable<string> | Iterable<string>): Promise<void> {
  await printBytes(terminated(lines));
}

async function* terminated(lines: AsyncIterable<string> | Iterable<string>): AsyncGenerator<string> {
  for await (const line of lines) yield `${process.stdout.isTTY ? visible(line) : line}\n`;
}
