/** Having a role from its beginning to its end, whatever ends it: the work, a stop of the run, a signal, another process. */
import { PruningError, TrainError } from '../../base/errors.js';
import { log } from '../../base/log.js';
import { shownUrl } from '../../storage/url.js';
import { pauseFor } from '../farm/pace.js';
import type { Seat } from '../farm/seat.js';

/** What ends a role's work early. */
export interface Ends {
  /** A signal to this process; its reason says what to do. */
  readonly interrupt: AbortSignal;
}

/**
 * Takes a role, does its work, and leaves it in order.
 *
 * @param take takes the role
 * @param work is given the seat, whose signal is aborted by an interruption too
 * @throws the reason of the seat's signal where it was aborted, else what `work` throws
 */
export async function holding<S extends Seat, T>(
  take: () => Promise<S>,
  signal: AbortSignal | undefined,
  work: (seat: S, ends: Ends) => Promise<T>,
): Promise<T> {
  const held = await take();
  log.info(`taking part in ${shownUrl(held.folder.url)} as ${held.role}`);
  const { interrupt, end } = interruption(signal, held.role);
  const seat = { ...held, signal: AbortSignal.any([held.signal, interrupt]) };
  try {
    return await work(seat, { interrupt });
  } catch (error) {
    // What is missing may be so because all of it is being removed, which takes a moment: that says more.
    if (!seat.signal.aborted && error instanceof PruningError && error.code === 'E_FARM_DATA') {
      await pauseFor(held.folder.pace.beatMs);
      await held.requireHeld();
    }
    throw seat.signal.aborted ? seat.signal.reason : error;
  } finally {
    end();
    await held.leave();
  }
}

/**
 * Does something as a part of a run; a stop of the run is a good end for all that did not decide upon it.
 *
 * @returns undefined after a stop
 */
export async function untilStop<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (!isStop(error)) throw error;
    log.info(error.message);
    return undefined;
  }
}

/** Whether an error says that the run was stopped. */
export function isStop(error: unknown): error is PruningError {
  return error instanceof PruningError && error.code === 'E_STOPPED';
}

/** Waits for the end of a role that has nothing more to do. */
export async function untilEnded({ signal }: Seat): Promise<never> {
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
  throw signal.reason;
}

function interruption(
  signal: AbortSignal | undefined,
  role: string,
): { readonly interrupt: AbortSignal; readonly end: () => void } {
  const controller = new AbortController();
  const told = `the ${role} has left its place: the same command takes it up again, and goes on`;
  const onAbort = (): void => controller.abort(new TrainError('E_INTERRUPTED', told));
  if (signal?.aborted) onAbort();
  signal?.addEventListener('abort', onAbort);
  return { interrupt: controller.signal, end: () => signal?.removeEventListener('abort', onAbort) };
}
