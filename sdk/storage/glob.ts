/** Files and folders whose names fit a pattern, found by listing no more than the pattern needs. */
import { StorageError } from '../base/errors.js';
import { asFolder } from './calls.js';
import { escapeGlob, fits, type Part, parsePattern } from './glob-pattern.js';
import { list } from './list.js';
import type { Entry } from './store.js';
import { storeFor } from './stores.js';
import { isEscapedUrl, joinUrl, unescaped } from './url.js';

/**
 * The URLs that fit a pattern, in the order of their names, a folder's with a `/` at its end; `glob-pattern.ts` says what `*`, `?`, `[a-z]`,
 * `**` and `\` mean. A pattern that ends in `/` finds folders alone. One that nothing fits yields nothing, be it that its folder does not
 * exist.
 *
 * @throws StorageError `E_DENIED`, `E_BUCKET`, `E_NETWORK`, …
 * @example
 * await write('in/a.jpg', '');
 * await write('in/d/b.jpg', '');
 * const found = [];
 * for await (const url of glob('in/**\/*.jpg')) found.push(url);
 * found; // ['in/a.jpg', 'in/d/b.jpg']
 */
export async function* glob(pattern: string): AsyncGenerator<string> {
  const wantsFolders = pattern.endsWith('/');
  for await (const { url, kind } of unlessMissing(found(pattern))) {
    if (kind === 'folder') yield asFolder(url);
    else if (!wantsFolders) yield url;
  }
}

interface Found {
  readonly url: string;
  readonly kind: Entry['kind'];
}

async function* found(pattern: string): AsyncGenerator<Found> {
  const isEscaped = isEscapedUrl(pattern);
  const plain = (text: string): string =>
    text.replace(/\\(.)/gsu, (_pair, character: string) => (isEscaped ? encodeURIComponent(character) : character));
  const wild = pattern.replace(/\\./gsu, (pair) => '_'.repeat(pair.length)).search(/[*?[]/);
  if (wild < 0) yield* standing(plain(pattern));
  else {
    const end = pattern.lastIndexOf('/', wild) + 1;
    const rest = pattern.slice(end).replace(/\/+$/, '');
    // What a URL writes as %2A is a character of a name, not a wildcard.
    const names = isEscaped ? rest.replace(/(?:%[0-9a-f]{2})+/gi, (escape) => escapeGlob(unescaped(escape))) : rest;
    yield* expand(plain(pattern.slice(0, end)), parsePattern(names));
  }
}

/** What fits below a folder. */
async function* expand(folder: string, parts: readonly Part[]): AsyncGenerator<Found> {
  const [part, ...rest] = parts;
  const isLast = rest.length === 0;
  if (part.kind === 'folders') {
    for await (const { name, kind } of unlessMissing(list(here(folder), { recursive: true }))) {
      if (fits(parts, name.split('/'))) yield { url: below(folder, name), kind };
    }
  } else if (part.isLiteral) {
    const url = below(folder, part.literal);
    if (isLast) yield* standing(url);
    else yield* expand(asFolder(url), rest);
  } else {
    const store = await storeFor(here(folder));
    const entries = store.list(here(folder), { recursive: false, prefix: part.literal });
    for await (const { name, kind } of unlessMissing(entries)) {
      if (!fits([part], [name])) continue;
      if (isLast) yield { url: below(folder, name), kind };
      else if (kind === 'folder') yield* expand(asFolder(below(folder, name)), rest);
    }
  }
}

/** A name that is known is asked for, not listed. */
async function* standing(url: string): AsyncGenerator<Found> {
  const store = await storeFor(url);
  const entry = await store.stat(url);
  if (entry !== undefined) yield { url, kind: entry.kind };
  // An object store may have both.
  if (entry?.kind === 'file' && (await store.stat(asFolder(url)))) yield { url, kind: 'folder' };
}

/** What does not exist, or is no folder, holds nothing that fits. */
async function* unlessMissing<T>(entries: AsyncIterable<T>): AsyncGenerator<T> {
  try {
    yield* entries;
  } catch (error) {
    const isMissing = error instanceof StorageError && (error.code === 'E_NOT_FOUND' || error.code === 'E_NOT_FOLDER');
    if (!isMissing) throw error;
  }
}

function here(folder: string): string {
  return folder === '' ? '.' : folder;
}

function below(folder: string, name: string): string {
  return folder === '' ? name : joinUrl(folder, name);
}
