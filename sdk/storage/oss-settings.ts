/**
 * Where OSS is and with which keys: environment variables first, as ossutil names them and as Alibaba Cloud's other tools do, then
 * ossutil's file, then whoever gives out temporary keys.
 */
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { StorageError, systemCode } from '../base/errors.js';
import { storageFailure } from './failure.js';
import { keysFromRole, keysFromUri, renewed } from './oss-keys.js';
import { shownUrl } from './url.js';

/** What signs requests. */
export interface OssKeys {
  readonly accessKeyId: string;
  readonly accessKeySecret: string;
  /** Of temporary keys. */
  readonly stsToken?: string | undefined;
}

export interface OssSettings {
  /** `https://oss-cn-hangzhou.aliyuncs.com` */
  readonly endpoint: string;
  /** `cn-hangzhou` */
  readonly region: string;
  /**
   * Where the bucket stands: before the endpoint's host (`virtual`), first in the path (`path`), or nowhere, since the endpoint is the
   * bucket's own domain (`cname`).
   */
  readonly addressing: 'virtual' | 'path' | 'cname';
  /**
   * The keys, the same object while they hold.
   *
   * @param refused keys that the server says have expired: gives others, or the same where there are no others
   * @throws StorageError `E_CREDENTIALS`, naming the variables
   */
  keys(refused?: OssKeys): Promise<OssKeys>;
}

/** What is looked at; for tests. */
export interface OssSurroundings {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly home?: string;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  /** The metadata service of an ECS machine. */
  readonly metadata?: string;
}

/**
 * Finds endpoint, region and keys.
 *
 * Endpoint and region: `OSS_ENDPOINT`, `OSS_REGION`, else `endpoint`, `region` of `~/.ossutilconfig`; one tells the other where it can.
 * `OSS_ADDRESSING_STYLE` (`virtual`, `path`, `cname`; or `addressing-style` in the file) for endpoints that are not Alibaba's.
 * Keys: `OSS_ACCESS_KEY_ID`, `OSS_ACCESS_KEY_SECRET`, `OSS_SESSION_TOKEN`; `ALIBABA_CLOUD_ACCESS_KEY_ID`, …`_SECRET`,
 * `ALIBABA_CLOUD_SECURITY_TOKEN`; the file; `ALIBABA_CLOUD_CREDENTIALS_URI`; the role that `ALIBABA_CLOUD_ECS_METADATA` names.
 *
 * @throws StorageError `E_CREDENTIALS`, `E_REGION` or `E_ENDPOINT`, naming the variables
 * @example
 * const env = { OSS_REGION: 'cn-hangzhou', OSS_ACCESS_KEY_ID: 'id', OSS_ACCESS_KEY_SECRET: 'secret' };
 * (await ossSettings({ env })).endpoint; // 'https://oss-cn-hangzhou.aliyuncs.com'
 */
export async function ossSettings(surroundings: OssSurroundings = {}): Promise<OssSettings> {
  const { env = process.env, home = homedir(), now = Date.now, metadata = METADATA } = surroundings;
  const path = join(home, '.ossutilconfig');
  const file = await readIni(path);
  return {
    ...placeOf(env, file),
    keys: keySource({ env, file, path, now, metadata }),
  };
}

/** The address of every ECS machine's metadata service. */
const METADATA = 'http://100.100.100.200';

type Values = Readonly<Record<string, string | undefined>>;

function placeOf(env: Values, file: Values): Pick<OssSettings, 'endpoint' | 'region' | 'addressing'> {
  const [ownRegion, filedRegion] = [env.OSS_REGION, file.region].map(
    (given) => given?.replace(/^oss-/, '') || undefined,
  );
  // An endpoint of the file does not belong to a region of the environment.
  const given = env.OSS_ENDPOINT || (ownRegion === undefined ? file.endpoint : undefined);
  const known = ownRegion ?? regionIn(env.OSS_ENDPOINT) ?? filedRegion ?? regionIn(file.endpoint);
  if (given === undefined && known === undefined) {
    throw new StorageError(
      'E_REGION',
      'nobody says where OSS is: set OSS_REGION (cn-hangzhou) or OSS_ENDPOINT, or region in ~/.ossutilconfig',
    );
  }
  const endpoint = originOf(given ?? `oss-${known}.aliyuncs.com`);
  const region = known ?? '';
  if (!/^[a-z0-9-]+$/.test(region)) {
    throw new StorageError(
      'E_REGION',
      `the region of ${endpoint} is not known: set OSS_REGION to one such as cn-hangzhou`,
    );
  }
  const addressing = env.OSS_ADDRESSING_STYLE || file.addressingstyle || 'virtual';
  if (addressing !== 'virtual' && addressing !== 'path' && addressing !== 'cname') {
    throw new StorageError(
      'E_ENDPOINT',
      `OSS_ADDRESSING_STYLE is ${JSON.stringify(addressing)}: use virtual, path or cname`,
    );
  }
  return { endpoint, region, addressing };
}

/** What an endpoint of Alibaba's own says of its region. */
function regionIn(endpoint = ''): string | undefined {
  return /^(?:https?:\/\/)?oss-([a-z0-9-]+?)(?:-internal)?\.aliyuncs\.com\/?$/i.exec(endpoint)?.[1];
}

/** `https` where nothing else is said. */
function originOf(given: string): string {
  const url = /^https?:\/\//i.test(given) ? given : `https://${given}`;
  if (!URL.canParse(url) || !/^[a-z0-9._:-]+$/i.test(new URL(url).host)) {
    throw new StorageError(
      'E_ENDPOINT',
      `OSS_ENDPOINT ${shownUrl(given)} is no address of a server: write https://host`,
    );
  }
  return new URL(url).origin;
}

interface Sources {
  readonly env: Values;
  readonly file: Values;
  readonly path: string;
  readonly now: () => number;
  readonly metadata: string;
}

function keySource({ env, file, path, now, metadata }: Sources): OssSettings['keys'] {
  const own =
    keysIn(env, ['OSS_ACCESS_KEY_ID', 'OSS_ACCESS_KEY_SECRET', 'OSS_SESSION_TOKEN']) ??
    keysIn(env, ['ALIBABA_CLOUD_ACCESS_KEY_ID', 'ALIBABA_CLOUD_ACCESS_KEY_SECRET', 'ALIBABA_CLOUD_SECURITY_TOKEN']);
  if (own !== undefined) return async () => own;

  const filed = keysIn(file, FILE_KEYS);
  if (filed !== undefined) {
    let keys = filed;
    return async (refused) => {
      // Somebody may have logged in again.
      const read = refused === keys ? keysIn(await readIni(path), FILE_KEYS) : undefined;
      if (read !== undefined && read.stsToken !== keys.stsToken) keys = read;
      return keys;
    };
  }

  const { ALIBABA_CLOUD_CREDENTIALS_URI: uri, ALIBABA_CLOUD_ECS_METADATA: role } = env;
  if (uri) return renewed(() => keysFromUri(uri), now);
  if (role) return renewed(() => keysFromRole(role, metadata), now);
  throw new StorageError(
    'E_CREDENTIALS',
    'no keys for OSS: set OSS_ACCESS_KEY_ID and OSS_ACCESS_KEY_SECRET (and OSS_SESSION_TOKEN for temporary ones), or ALIBABA_CLOUD_CREDENTIALS_URI, ' +
      'or ALIBABA_CLOUD_ECS_METADATA, or write ~/.ossutilconfig',
  );
}

const FILE_KEYS = ['accesskeyid', 'accesskeysecret', 'ststoken'] as const;

function keysIn(
  values: Values,
  [idName, secretName, tokenName]: readonly [string, string, string],
): OssKeys | undefined {
  const [accessKeyId, accessKeySecret] = [values[idName]?.trim(), values[secretName]?.trim()];
  if (!accessKeyId && !accessKeySecret) return undefined;
  if (!accessKeyId || !accessKeySecret) {
    const [there, missing] = accessKeyId ? [idName, secretName] : [secretName, idName];
    throw new StorageError('E_CREDENTIALS', `keys for OSS: ${there} is set and ${missing} is not; set both`);
  }
  return { accessKeyId, accessKeySecret, stsToken: values[tokenName]?.trim() || undefined };
}

/**
 * The sections that ossutil 1 (`[Credentials]`) and ossutil 2 (`[default]`) read, names in small letters without `-` and `_`, since
 * both may be written in many ways; empty when there is no such file.
 */
async function readIni(path: string): Promise<Values> {
  const values: Record<string, string> = {};
  let section = '';
  for (const line of (await textOf(path)).split(/\r?\n/)) {
    section = /^\s*\[(?:profile\s+)?(.*?)\]\s*$/.exec(line)?.[1].toLowerCase() ?? section;
    const [, name, value] = /^\s*([\w-]+)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    if (name === undefined || (section !== 'credentials' && section !== 'default') || value === '') continue;
    values[name.toLowerCase().replace(/[-_]/g, '')] = value;
  }
  return values;
}

async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return '';
    throw storageFailure('read', path, error);
  }
}
