/**
 * Where S3 and OBS are and with which keys: the platform's variables (`S3_ENDPOINT`, …, as OpenI and ModelArts set them), obsutil's, else
 * what Amazon's own tools look at.
 */
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { StorageError, systemCode } from '../base/errors.js';
import { storageFailure } from './failure.js';
import { shownUrl } from './url.js';

/** What signs requests. */
export interface S3Keys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Of temporary keys. */
  readonly sessionToken?: string | undefined;
}

export interface S3Settings {
  /** `http://127.0.0.1:8088`; undefined is Amazon's own, by the region. */
  readonly endpoint?: string | undefined;
  /** Undefined asks what Amazon's tools ask. */
  readonly region?: string | undefined;
  /** Undefined asks whom Amazon's tools ask: variables, profiles, web identities, the role of a container or machine. */
  readonly keys?: S3Keys | undefined;
  /** Where the bucket stands: before the endpoint's host or first in the path. */
  readonly addressing: 'virtual' | 'path';
  /** Huawei's server, which pages through listings in its own way. */
  readonly isObs: boolean;
}

/** What is looked at; for tests. */
export interface S3Surroundings {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly home?: string;
}

/**
 * Finds endpoint, region and keys.
 *
 * `s3`: `S3_ENDPOINT` (its scheme may be left to `S3_USE_HTTPS`, 0 or 1), `ACCESS_KEY_ID`, `SECRET_ACCESS_KEY`, `SECURITY_TOKEN`,
 * `S3_REGION`; without an endpoint, Amazon's variables, files and roles. `obs`: `OBS_ENDPOINT`, `OBS_ACCESS_KEY_ID`,
 * `OBS_SECRET_ACCESS_KEY`, `OBS_SECURITY_TOKEN`, `OBS_REGION`, then `~/.obsutilconfig`, then those of `s3`. The region of an endpoint
 * `obs.REGION.…` need not be said. `S3_ADDRESSING_STYLE` and `OBS_ADDRESSING_STYLE` are `virtual` or `path`; default: `virtual` for
 * Amazon's and Huawei's own endpoints, else `path`.
 *
 * @throws StorageError `E_CREDENTIALS` or `E_ENDPOINT`, naming the variables
 * @example
 * const env = { S3_ENDPOINT: '127.0.0.1:9000', S3_USE_HTTPS: '0', ACCESS_KEY_ID: 'id', SECRET_ACCESS_KEY: 'secret' };
 * (await s3Settings('s3', { env })).endpoint; // 'http://127.0.0.1:9000'
 */
export async function s3Settings(
  scheme: 's3' | 'obs',
  { env = process.env, home = homedir() }: S3Surroundings = {},
): Promise<S3Settings> {
  if (scheme === 's3') return env.S3_ENDPOINT ? platformSettings(env) : amazonSettings(env);
  const file = env.OBS_ENDPOINT && env.OBS_ACCESS_KEY_ID ? {} : await obsutilFile(join(home, '.obsutilconfig'));
  const given = env.OBS_ENDPOINT || file.endpoint;
  if (given === undefined) {
    if (env.S3_ENDPOINT) return platformSettings(env);
    throw new StorageError('E_ENDPOINT', 'nobody says where OBS is: set OBS_ENDPOINT, or endpoint in ~/.obsutilconfig');
  }
  const names = ['OBS_ACCESS_KEY_ID', 'OBS_SECRET_ACCESS_KEY', 'OBS_SECURITY_TOKEN'] as const;
  const keys = keysIn(env, names) ?? keysIn(file, ['ak', 'sk', 'token']) ?? keysIn(env, PLATFORM_KEYS);
  if (keys === undefined) throw noKeys(given, [...names.slice(0, 2), 'ak and sk in ~/.obsutilconfig']);
  return settingsOf('OBS', originOf('OBS_ENDPOINT', given, true), keys, env);
}

/** A text that differs when the variables that {@link s3Settings} and Amazon's tools look at do. It holds secrets: keep it in memory. */
export function settingsMark(env: Readonly<Record<string, string | undefined>> = process.env): string {
  return JSON.stringify(VARIABLES.map((name) => env[name]));
}

/** The error for keys that are nowhere. */
export function noKeys(endpoint: string, sources: readonly string[]): StorageError {
  return new StorageError('E_CREDENTIALS', `no keys for ${shownUrl(endpoint)}: set ${sources.join(', ')}`);
}

type Values = Readonly<Record<string, string | undefined>>;

const PLATFORM_KEYS = ['ACCESS_KEY_ID', 'SECRET_ACCESS_KEY', 'SECURITY_TOKEN'] as const;
const AMAZON_KEYS = ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN'] as const;
const VARIABLES = `
  S3_ENDPOINT S3_USE_HTTPS S3_REGION S3_ADDRESSING_STYLE ${PLATFORM_KEYS.join(' ')}
  OBS_ENDPOINT OBS_REGION OBS_ADDRESSING_STYLE OBS_ACCESS_KEY_ID OBS_SECRET_ACCESS_KEY OBS_SECURITY_TOKEN HOME
  AWS_ENDPOINT_URL_S3 AWS_ENDPOINT_URL AWS_REGION AWS_DEFAULT_REGION ${AMAZON_KEYS.join(' ')}
  AWS_PROFILE AWS_CONFIG_FILE AWS_SHARED_CREDENTIALS_FILE AWS_ROLE_ARN AWS_WEB_IDENTITY_TOKEN_FILE
  AWS_CONTAINER_CREDENTIALS_RELATIVE_URI AWS_CONTAINER_CREDENTIALS_FULL_URI
`
  .trim()
  .split(/\s+/);

function platformSettings(env: Values): S3Settings {
  const endpoint = originOf('S3_ENDPOINT', env.S3_ENDPOINT ?? '', env.S3_USE_HTTPS !== '0');
  // Amazon's variables are what other tools that know S3_ENDPOINT take.
  const keys = keysIn(env, PLATFORM_KEYS) ?? keysIn(env, AMAZON_KEYS);
  if (keys === undefined) throw noKeys(endpoint, PLATFORM_KEYS.slice(0, 2));
  return settingsOf('S3', endpoint, keys, env);
}

function amazonSettings(env: Values): S3Settings {
  const given = env.AWS_ENDPOINT_URL_S3 || env.AWS_ENDPOINT_URL;
  const endpoint = given ? originOf('AWS_ENDPOINT_URL', given, true) : undefined;
  return {
    endpoint,
    region: env.S3_REGION || env.AWS_REGION || env.AWS_DEFAULT_REGION || undefined,
    addressing: addressingOf('S3', endpoint, env),
    isObs: false,
  };
}

function settingsOf(name: 'S3' | 'OBS', endpoint: string, keys: S3Keys, env: Values): S3Settings {
  const region = env[`${name}_REGION`] || regionOf(endpoint) || env.AWS_REGION || 'us-east-1';
  const isObs = name === 'OBS' || OBS_HOST.test(new URL(endpoint).hostname);
  return { endpoint, region, keys, addressing: addressingOf(name, endpoint, env), isObs };
}

function keysIn(values: Values, [id, secret, token]: readonly [string, string, string]): S3Keys | undefined {
  // What was copied or read out of a file may end with a line break, from Windows with two.
  const [accessKeyId, secretAccessKey, sessionToken] = [id, secret, token].map((name) => values[name]?.trim());
  return accessKeyId && secretAccessKey
    ? { accessKeyId, secretAccessKey, sessionToken: sessionToken || undefined }
    : undefined;
}

function originOf(variable: string, given: string, isHttps: boolean): string {
  const url = /^https?:\/\//i.test(given) ? given : `${isHttps ? 'https' : 'http'}://${given}`;
  if (!URL.canParse(url) || !/^(\[[0-9a-f:]+\]|[a-z0-9._-]+)(:\d+)?$/i.test(new URL(url).host)) {
    throw new StorageError(
      'E_ENDPOINT',
      `${variable} ${shownUrl(given)} is no address of a server: write https://host`,
    );
  }
  return new URL(url).origin;
}

/** `obs.cn-north-4.myhuaweicloud.com`, and `obs.cn-south-222.ai.pcl.cn` of OpenI; `s3.eu-west-1.amazonaws.com`. */
function regionOf(endpoint: string): string | undefined {
  return /^(?:obs|s3)[.-]([a-z]+-[a-z0-9-]*\d)\./.exec(new URL(endpoint).hostname)?.[1];
}

/** Huawei's own, and those that others have bought, as OpenI's `obs.cn-south-222.ai.pcl.cn`. */
const OBS_HOST = /(^|\.)myhuaweicloud\.(com|eu)$|^obs[.-][a-z0-9-]+\./;
/** Hosts known to answer for `bucket.host`. */
const VIRTUAL = new RegExp(`${OBS_HOST.source}|(^|\\.)amazonaws\\.com(\\.cn)?$`);

function addressingOf(name: 'S3' | 'OBS', endpoint: string | undefined, env: Values): 'virtual' | 'path' {
  const variable = `${name}_ADDRESSING_STYLE`;
  const given = env[variable] || undefined;
  if (given === 'virtual' || given === 'path') return given;
  if (given !== undefined) {
    throw new StorageError('E_ENDPOINT', `${variable} is ${JSON.stringify(given)}: write virtual or path`);
  }
  return endpoint === undefined || VIRTUAL.test(new URL(endpoint).hostname) ? 'virtual' : 'path';
}

/** Lines `name=value`, as `obsutil config` writes them. */
async function obsutilFile(path: string): Promise<Values> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return {};
    throw storageFailure('read', path, error);
  }
  const lines = text.matchAll(/^[ \t]*(\w+)[ \t]*=[ \t]*(.*?)[ \t\r]*$/gm);
  return Object.fromEntries([...lines].map(([, name, value]) => [name, value]).filter(([, value]) => value !== ''));
}
