/** Runs a command to its end: one line for an error, the stack with `--debug`, and the exit code. */
import { MindtsError } from '../base/errors.js';
import { log, outlive } from '../base/log.js';

/**
 * Runs `main`; never throws. Exit code 0, or that of the error: 1, 2 for a wrong command line.
 *
 * @param exitCode overrides the error's: 128 + n for signal n
 */
export async function runToEnd(
  argv: readonly string[],
  main: () => Promise<void>,
  exitCode: () => number | undefined = () => undefined,
): Promise<void> {
  outlive(process.stdout);
  outlive(process.stderr);
  try {
    await main();
  } catch (error) {
    const debug = argv.some((arg) => arg === '--debug' || arg === '--debug=true');
    const message = error instanceof Error ? error.message : String(error);
    // One line, whatever names of files it quotes.
    const text = (debug && error instanceof Error && error.stack) || message.replaceAll('\n', '\\n');
    log.error(text);
    // A mistake of ours rather than of the user: the stack is what a report needs.
    if (!debug && !(error instanceof MindtsError)) {
      log.error('this is a fault of mindts: please report it with what --debug prints');
    }
    process.exitCode = exitCode() ?? (error instanceof MindtsError ? error.exitCode : 1);
  }
}
