/** Which WebHDFS servers a URL means, and who asks them: from the URL, the environment and Hadoop's own configuration. */
import { readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { StorageError, systemCode, systemReason } from '../base/errors.js';
import { schemeOf, shownUrl } from './url.js';

export interface HdfsSettings {
  /** The URL up to its path, as errors show it: `hdfs://cluster`. */
  readonly root: string;
  /** Where WebHDFS is, `http://host:9870/webhdfs/v1`; more than one where one of several namenodes is active. A query goes with every request. */
  readonly endpoints: readonly URL[];
  /** `user.name` or `delegation`, and its value. */
  readonly identity: readonly [string, string];
}

/**
 * The settings for a URL.
 *
 * - `webhdfs://host:port`, `swebhdfs://host:port`: that server, over HTTP (9870 when there is no port) or HTTPS (9871).
 * - `hdfs://host:8020`, `hdfs://nameservice`, `hdfs:///`: `WEBHDFS_ENDPOINT`, which may name several servers with commas between them; else
 *   what `hdfs-site.xml` and `core-site.xml` under `HADOOP_CONF_DIR` say; else port 9870 of that host.
 * - Who asks: the token in `HADOOP_TOKEN`; else the user in the URL (`hdfs://user@host/`), in `HADOOP_USER_NAME`, or of this process.
 *
 * @throws StorageError `E_URL` for a URL that leaves open which server is meant, `E_CREDENTIALS` when nobody is to be found who asks
 * @example
 * hdfsSettings('hdfs://node1:8020/data', { HADOOP_USER_NAME: 'li' }).endpoints[0].href; // 'http://node1:9870/webhdfs/v1'
 */
export function hdfsSettings(url: string, environment: NodeJS.ProcessEnv = process.env): HdfsSettings {
  const scheme = schemeOf(url);
  const [, user = '', authority = ''] = /^[a-z]+:\/\/(?:([^/@]*)@)?([^/]*)/i.exec(url) ?? [];
  return {
    root: `${scheme}://${authority}`,
    endpoints: addresses(scheme, authority, environment).map((address) => endpointOf(url, address)),
    identity: identityOf(user.replace(/:.*/, ''), environment),
  };
}

function addresses(scheme: string, authority: string, environment: NodeJS.ProcessEnv): readonly string[] {
  const { hostname, port } = hostOf(authority);
  const isWeb = scheme !== 'hdfs';
  const asked = environment['WEBHDFS_ENDPOINT'] ?? '';
  if (asked !== '' && (!isWeb || authority === '')) return asked.split(',').map((part) => part.trim());
  const site = readSite(environment['HADOOP_CONF_DIR']);
  const standard = hostOf((site.get('fs.defaultFS') ?? '').replace(/^[a-z]+:\/\//i, '').replace(/\/.*/, ''));
  const isStandard = hostname === '' || hostname === standard.hostname;
  const service = hostname === '' ? standard.hostname : hostname;
  const isSecure = scheme === 'swebhdfs' || (!isWeb && site.get('dfs.http.policy') === 'HTTPS_ONLY');
  const [protocol, key, standardPort] = isSecure
    ? ['https', 'dfs.namenode.https-address', 9871]
    : ['http', 'dfs.namenode.http-address', 9870];
  const namenodes = site.get(`dfs.ha.namenodes.${service}`);
  if (namenodes !== undefined && port === '') {
    const found = namenodes.split(',').map((name) => site.get(`${key}.${service}.${name.trim()}`));
    return found.filter((address) => address !== undefined).map((address) => `${protocol}://${address}`);
  }
  if (isWeb && hostname !== '') return [`${protocol}://${hostname}:${port === '' ? standardPort : port}`];
  const told = site.get(key);
  if (told !== undefined && isStandard) return [`${protocol}://${told.replace(/^0\.0\.0\.0(?=:)/, service)}`];
  return service === '' ? [] : [`${protocol}://${service}:${standardPort}`];
}

function hostOf(authority: string): { readonly hostname: string; readonly port: string } {
  const [, hostname = '', port = ''] = /^(\[[^\]]*\]|[^:]*)(?::(\d*))?$/.exec(authority) ?? [];
  return { hostname, port };
}

function endpointOf(url: string, address: string): URL {
  try {
    const endpoint = new URL(/^https?:\/\//i.test(address) ? address : `http://${address}`);
    if (endpoint.pathname === '/') endpoint.pathname = '/webhdfs/v1';
    return endpoint;
  } catch (cause) {
    throw new StorageError(
      'E_URL',
      `${shownUrl(url)}: ${JSON.stringify(shownUrl(address))} is no server: write WEBHDFS_ENDPOINT=http://host:9870`,
      {
        cause,
      },
    );
  }
}

function identityOf(user: string, environment: NodeJS.ProcessEnv): readonly [string, string] {
  const token = environment['HADOOP_TOKEN'] ?? '';
  if (token !== '') return ['delegation', token];
  const name = user === '' ? (environment['HADOOP_USER_NAME'] ?? '') : user;
  return ['user.name', name === '' ? processUser() : name];
}

function processUser(): string {
  try {
    return userInfo().username;
  } catch (cause) {
    throw new StorageError(
      'E_CREDENTIALS',
      'the user of this process has no name that HDFS could be told: set HADOOP_USER_NAME',
      { cause },
    );
  }
}

/** Both files' properties; those of `hdfs-site.xml` go before. */
function readSite(folder: string | undefined): ReadonlyMap<string, string> {
  if (folder === undefined || folder === '') return new Map();
  return new Map(['core-site.xml', 'hdfs-site.xml'].flatMap((name) => propertiesOf(join(folder, name))));
}

function propertiesOf(path: string): readonly (readonly [string, string])[] {
  const xml = readIfThere(path).replaceAll(/<!--[^]*?-->/g, '');
  return Array.from(xml.matchAll(/<property>([^]*?)<\/property>/g), ([, property]) => {
    return [elementOf(property, 'name'), elementOf(property, 'value')] as const;
  });
}

function elementOf(property: string, name: string): string {
  const text = new RegExp(`<${name}>([^]*?)</${name}>`).exec(property)?.[1] ?? '';
  return text.trim().replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&quot;', '"').replaceAll('&amp;', '&');
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return '';
    throw new StorageError('E_READ', `cannot read ${path}: ${systemReason(error)}; check HADOOP_CONF_DIR`, {
      cause: error,
    });
  }
}
