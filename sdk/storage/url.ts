/** URLs of files and folders: `s3://bucket/key`, `file:///data/train`, and plain paths. */
import { StorageError } from '../base/errors.js';
import { redactUrl } from '../base/log.js';

/**
 * The scheme of a URL in small letters; `file` for a plain path.
 *
 * @example
 * schemeOf('s3://bucket/key'); // 's3'
 * schemeOf('data/train'); // 'file'
 */
export function schemeOf(url: string): string {
  return /^([a-z][a-z0-9+.-]*):\/\//i.exec(url)?.[1]?.toLowerCase() ?? 'file';
}

/**
 * The URL of a file below a folder.
 *
 * @throws StorageError `E_NAME` for a name that would lead out of the folder, such as `../x` or `/x`
 * @example
 * joinUrl('s3://bucket/out/', 'a/b.ckpt'); // 's3://bucket/out/a/b.ckpt'
 * joinUrl('file:///data', 'a b'); // 'file:///data/a%20b'
 */
export function joinUrl(folder: string, name: string): string {
  if (!isBelow(name)) {
    throw new StorageError(
      'E_NAME',
      `${shownUrl(folder)} holds the name ${JSON.stringify(name)}, which is not a path below it: rename it`,
    );
  }
  // The root of this machine, file:///, is all slashes.
  const above = /^[a-z][a-z0-9+.-]*:\/*$/i.test(folder) ? folder : `${folder.replace(/\/+$/, '')}/`;
  return above + (isEscapedUrl(folder) ? name.split('/').map(encodeURIComponent).join('/') : name);
}

/** Whether a name is one of a file below a folder; `../x`, `/x` and `a//b` are not. */
export function isBelow(name: string): boolean {
  return name.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
}

/**
 * The last part of a URL: what a copy of that file or folder would be called.
 *
 * @example
 * nameOf('https://host/a%20b.ckpt?signature=1'); // 'a b.ckpt'
 * nameOf('s3://bucket/out/'); // 'out'
 */
export function nameOf(url: string): string {
  const isEscaped = isEscapedUrl(url);
  const last = (isEscaped ? url.replace(/[?#].*$/, '') : url).replace(/\/+$/, '').replace(/^.*\//, '');
  return isEscaped ? unescaped(last) : last;
}

/** A text with its `%20` and the like read; as it is where they mean no text. */
export function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Whether a URL writes some characters as `%20`, as the web does; keys of object stores stand as they are. */
export function isEscapedUrl(url: string): boolean {
  return url.includes('://') && ESCAPED.has(schemeOf(url));
}

/** Schemes whose URLs escape characters, as the web's do; keys of object stores are written as they are. */
const ESCAPED: ReadonlySet<string> = new Set(['file', 'http', 'https']);

/** A URL for people: without the user name, password and signature that it may carry, and of the web's without the query. */
export function shownUrl(url: string): string {
  return redactUrl(url).replace(/^(https?:\/\/[^?#]*)[?#].*$/i, '$1');
}
