/** Temporary keys: who gives them out, and renewing them before they expire. */
import { z } from 'zod';
import { StorageError, systemReason } from '../base/errors.js';
import { log } from '../base/log.js';
import type { OssKeys } from './oss-settings.js';
import { PassingFailure } from './retry.js';
import { shownUrl } from './url.js';

/** Keys that end. */
export interface TemporaryKeys {
  readonly keys: OssKeys;
  /** Milliseconds since 1970. */
  readonly expires: number;
}

/** Keys are renewed so long before they expire, in milliseconds. */
export const RENEWAL_MARGIN_MS = 5 * 60_000;

/**
 * Keys that are fetched when first asked for and again before they expire, however many ask at once; or when those that are held were refused.
 * Keys that still hold are used when new ones cannot be had.
 */
export function renewed(
  fetch: () => Promise<TemporaryKeys>,
  now: () => number,
): (refused?: OssKeys) => Promise<OssKeys> {
  let held: TemporaryKeys | undefined;
  let coming: Promise<TemporaryKeys> | undefined;
  return async (refused) => {
    const wasRefused = held !== undefined && held.keys === refused;
    if (held !== undefined && !wasRefused && now() < held.expires - RENEWAL_MARGIN_MS) return held.keys;
    try {
      coming ??= fetch().finally(() => {
        coming = undefined;
      });
      held = await coming;
    } catch (error) {
      if (held === undefined || wasRefused || now() >= held.expires) throw error;
      log.warn(`${error instanceof Error ? error.message : String(error)}; going on with the keys that still hold`);
    }
    return held.keys;
  };
}

/**
 * Keys from a service of the user's: `ALIBABA_CLOUD_CREDENTIALS_URI`.
 *
 * @throws StorageError `E_CREDENTIALS`; a PassingFailure where it may pass
 */
export async function keysFromUri(uri: string): Promise<TemporaryKeys> {
  return keysIn(await ask(uri, 'ALIBABA_CLOUD_CREDENTIALS_URI'), uri, 'ALIBABA_CLOUD_CREDENTIALS_URI');
}

/**
 * Keys of the role that an ECS machine has, from its metadata service (with a session token, “IMDSv2”).
 *
 * @throws StorageError `E_CREDENTIALS`; a PassingFailure where it may pass
 */
export async function keysFromRole(role: string, metadata: string): Promise<TemporaryKeys> {
  const variable = 'ALIBABA_CLOUD_ECS_METADATA';
  const token = await ask(`${metadata}/latest/api/token`, variable, {
    method: 'PUT',
    headers: { 'X-aliyun-ecs-metadata-token-ttl-seconds': '60' },
  });
  const url = `${metadata}/latest/meta-data/ram/security-credentials/${encodeURIComponent(role)}`;
  return keysIn(await ask(url, variable, { headers: { 'X-aliyun-ecs-metadata-token': token } }), url, variable);
}

/** How long a service of keys may take, in milliseconds. */
const PATIENCE_MS = 10_000;

async function ask(url: string, variable: string, request: RequestInit = {}): Promise<string> {
  const where = `no keys for OSS from ${shownUrl(url)} (${variable})`;
  let answer: Response;
  let text: string;
  try {
    answer = await fetch(url, { ...request, signal: AbortSignal.timeout(PATIENCE_MS) });
    text = await answer.text();
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    throw new PassingFailure('E_CREDENTIALS', `${where}: ${systemReason(cause)}; check ${variable}`, { cause: error });
  }
  if (answer.ok) return text;
  const failure = `${where}: HTTP ${answer.status}; check ${variable}`;
  throw answer.status >= 500
    ? new PassingFailure('E_CREDENTIALS', failure)
    : new StorageError('E_CREDENTIALS', failure);
}

const ANSWER = z.object({
  AccessKeyId: z.string().min(1),
  AccessKeySecret: z.string().min(1),
  SecurityToken: z.string().min(1),
  Expiration: z.iso.datetime({ offset: true }),
});

function keysIn(text: string, url: string, variable: string): TemporaryKeys {
  // What the answer holds is a secret, even where it is not as it should be.
  const parsed = ANSWER.safeParse(jsonOf(text));
  if (!parsed.success) {
    const wrong = parsed.error.issues[0]?.path.join('.') || 'it is no JSON object';
    throw new StorageError(
      'E_CREDENTIALS',
      `the answer of ${shownUrl(url)} (${variable}) holds no keys: AccessKeyId, AccessKeySecret, SecurityToken and Expiration are wanted; wrong: ${wrong}`,
    );
  }
  const { AccessKeyId, AccessKeySecret, SecurityToken, Expiration } = parsed.data;
  return {
    keys: { accessKeyId: AccessKeyId, accessKeySecret: AccessKeySecret, stsToken: SecurityToken },
    expires: Date.parse(Expiration),
  };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
