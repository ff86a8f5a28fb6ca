/** Failures that may pass, and trying again: exponential backoff with full jitter, or as long as the server asks. */
import { setTimeout as sleep } from 'node:timers/promises';
import { StorageError } from '../base/errors.js';
import { log } from '../base/log.js';

/** A failure that another try may mend: a broken connection, a busy server, bytes that came damaged. */
export class PassingFailure extends StorageError {
  /** How long the server asks to wait, in milliseconds; undefined where it says nothing. */
  readonly waitMs: number | undefined;
  /** Nothing came for as long as one waits. */
  readonly isSilence: boolean;

  constructor(
    code: string,
    message: string,
    {
      waitMs,
      isSilence = false,
      ...options
    }: ErrorOptions & { waitMs?: number | undefined; isSilence?: boolean | undefined } = {},
  ) {
    super(code, message, options);
    this.waitMs = waitMs;
    this.isSilence = isSilence;
  }
}

/** Tries in all; with {@link FIRST_WAIT_MS} doubled between them, they spread over about 16 s, and at most 32 s. */
const TRIES = 8;
/** `MINDTS_RETRY_WAIT_MS` sets another: a longer one for a store that is often busy, a short one for one in the next room. */
const FIRST_WAIT_MS = 250;
/** The longest that a server's own `Retry-After` is heeded. */
const LONGEST_WAIT_MS = 60_000;
/** After so many failures in a row, people are told; but not by every file that waits for the same server. */
const TELL_AFTER = 4;
/** Nor do people wait longer than this for the next try without a word. */
const LONG_WAIT_MS = 10_000;
const TELL_EVERY_MS = 10_000;
/** How long a connection may be silent before it is given up; a copy of something large within a store may take about as long. */
export const SILENCE_MS = 60_000;
/** A server that is silent for so long in all, over several tries, is not there: nobody sits before it for eight times a minute. */
const MOST_SILENCE_MS = 100_000;
let told = Number.NEGATIVE_INFINITY;

/**
 * Runs `action`, again while it fails with a {@link PassingFailure}, and throws the last failure.
 * Waits are drawn from [0, 250 ms · 2ⁿ) (“full jitter”, AWS Architecture Blog, 2015); `MINDTS_RETRY_WAIT_MS` replaces the 250.
 *
 * @param options signal: ends the waiting with its reason; now: for tests, a clock in milliseconds
 */
export async function retrying<T>(
  action: () => Promise<T>,
  {
    signal,
    now = () => performance.now(),
  }: { readonly signal?: AbortSignal | undefined; readonly now?: () => number } = {},
): Promise<T> {
  let silence = 0;
  for (let tried = 1; ; tried++) {
    const begun = now();
    try {
      return await action();
    } catch (error) {
      if (!(error instanceof PassingFailure) || tried === TRIES) throw error;
      // Before it fell silent, much may have moved.
      if (error.isSilence) silence += Math.min(now() - begun, SILENCE_MS);
      if (silence >= MOST_SILENCE_MS) throw error;
      const wait = error.waitMs ?? Math.random() * firstWait() * 2 ** (tried - 1);
      const isWorthTelling = tried >= TELL_AFTER || error.isSilence || wait >= LONG_WAIT_MS;
      if (isWorthTelling && performance.now() - told >= TELL_EVERY_MS) {
        told = performance.now();
        log.warn(`${error.message}; trying again`);
      }
      await sleep(Math.min(wait, LONGEST_WAIT_MS), undefined, { signal });
    }
  }
}

function firstWait(): number {
  const given = Number(process.env['MINDTS_RETRY_WAIT_MS'] || Number.NaN);
  return given >= 0 ? given : FIRST_WAIT_MS;
}
