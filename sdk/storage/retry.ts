/** Failures that may pass, and trying again: exponential backoff with full jitter, or as long as the server asks. */
import { setTimeout as sleep } from 'node:timers/promises';
import { StorageError } from '../base/errors.js';
import { log } from '../base/log.js';

/** A failure that another try may mend: a broken connection, a busy server, bytes that came damaged. */
export class PassingFailure extends StorageError {
  /** How long the server asks to wait, in milliseconds; undefined where it says nothing. */
  readonly waitMs: number | undefined;

  constructor(
    code: string,
    message: string,
    { waitMs, ...options }: ErrorOptions & { waitMs?: number | undefined } = {},
  ) {
    super(code, message, options);
    this.waitMs = waitMs;
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
const TELL_EVERY_MS = 10_000;
let told = Number.NEGATIVE_INFINITY;

/**
 * Runs `action`, again while it fails with a {@link PassingFailure}, and throws the last failure.
 * Waits are drawn from [0, 250 ms · 2ⁿ) (“full jitter”, AWS Architecture Blog, 2015); `MINDTS_RETRY_WAIT_MS` replaces the 250.
 *
 * @param options signal: ends the waiting with its reason
 */
export async function retrying<T>(
  action: () => Promise<T>,
  { signal }: { readonly signal?: AbortSignal | undefined } = {},
): Promise<T> {
  for (let tried = 1; ; tried++) {
    try {
      return await action();
    } catch (error) {
      if (!(error instanceof PassingFailure) || tried === TRIES) throw error;
      if (tried >= TELL_AFTER && performance.now() - told >= TELL_EVERY_MS) {
        told = performance.now();
        log.warn(`${error.message}; trying again`);
      }
      const wait = error.waitMs ?? Math.random() * firstWait() * 2 ** (tried - 1);
      await sleep(Math.min(wait, LONGEST_WAIT_MS), undefined, { signal });
    }
  }
}

function firstWait(): number {
  const given = Number(process.env['MINDTS_RETRY_WAIT_MS'] || Number.NaN);
  return given >= 0 ? given : FIRST_WAIT_MS;
}
