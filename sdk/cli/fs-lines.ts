/** What `mindts fs` prints, as it comes. */
import * as storage from '../storage/index.js';
import { shownUrl } from '../storage/url.js';

/** What is in a folder: names, a folder's with a `/` at its end. */
export async function* listed(
  url: string,
  args: { readonly recursive: boolean; readonly json: boolean },
): AsyncGenerator<string> {
  for await (const entry of storage.list(url, args)) {
    yield args.json ? JSON.stringify(shown(entry)) : entry.name + (entry.kind === 'folder' ? '/' : '');
  }
}

/** A line of facts for each URL. */
export async function* described(urls: readonly string[], asJson: boolean): AsyncGenerator<string> {
  for (const url of urls) {
    const entry = await storage.stat(url);
    const { modified, kind, size, digest } = entry;
    const facts = [
      kind,
      ...(kind === 'file' ? [`${size} bytes`] : []),
      ...(modified === 0 ? [] : [new Date(modified).toISOString()]),
      ...(digest === undefined ? [] : [`${digest.algorithm} ${digest.value}`]),
    ];
    yield asJson ? JSON.stringify({ url: shownUrl(url), ...shown(entry) }) : `${shownUrl(url)}: ${facts.join(', ')}`;
  }
}

/** Folder after folder, each with what is in it, indented. */
export async function* walked(url: string, asJson: boolean): AsyncGenerator<string> {
  for await (const { url: folder, folders, files } of storage.walk(url)) {
    if (asJson) yield JSON.stringify({ url: shownUrl(folder), folders, files });
    else {
      yield `${shownUrl(folder).replace(/\/*$/, '')}/`;
      for (const name of folders) yield `  ${name}/`;
      for (const name of files) yield `  ${name}`;
    }
  }
}

/** Files one after the other. */
export async function* contents(urls: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const url of urls) yield* storage.readStream(url);
}

/** The time as people and programs read it; folders of object stores have none. */
function shown<E extends storage.Entry>({ modified, version: _version, ...entry }: E): object {
  return { ...entry, modified: modified === 0 ? undefined : new Date(modified).toISOString() };
}
