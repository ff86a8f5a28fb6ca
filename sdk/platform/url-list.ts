/**
 * The lists of data sets and of models that OpenI hands over as JSON:
 * `--multi_data_url '[{"dataset_url": …, "dataset_name": …}]'`, `--pretrain_url '[{"model_url": …, "model_name": …}]'`.
 */
import { z } from 'zod';
import { jsonFault } from '../args/json-fault.js';
import type { Option } from '../args/option.js';
import { redactUrl } from '../base/log.js';
import { isBelow } from '../storage/url.js';

/** A data set or model of a task. */
export interface NamedUrl {
  /** As the task form shows it; on C2Net with its suffix, `MNISTData.zip`. */
  readonly name: string;
  readonly url: string;
}

/** What a list names: the first word of its keys. */
export type Listed = 'dataset' | 'model';

/**
 * An option that takes such a list. An empty one means that nothing was chosen, as when it is not given.
 *
 * @example
 * urlList('dataset', { description: 'the data sets' }).placeholder; // 'JSON'
 */
export function urlList(
  listed: Listed,
  { description }: { readonly description: string },
): Option<readonly NamedUrl[] | undefined> {
  return {
    kind: 'text',
    description,
    placeholder: 'JSON',
    expected: `a list such as ${SHAPE[listed]}`,
    schema: z.string().transform((given, context) => {
      const read = readUrlList(given, listed);
      if ('list' in read) return read.list.length === 0 ? undefined : read.list;
      context.issues.push({ code: 'custom', message: read.fault, input: given });
      return z.NEVER;
    }),
    required: false,
    default: undefined,
  };
}

/**
 * Reads such a list. Quotes that a shell left around it or escaped in it are taken away where that makes it JSON, which leaves no doubt.
 *
 * @returns the list, or what is wrong with the text: it holds no credentials
 * @example
 * readUrlList('[{"model_url": "s3://b/a.ckpt", "model_name": "a"}]', 'model'); // { list: [{ name: 'a', url: 's3://b/a.ckpt' }] }
 * readUrlList('[{"model_url": "s3://b/a.ckpt"}]', 'model'); // { fault: 'entry 1 has no "model_name"' }
 */
export function readUrlList(
  given: string,
  listed: Listed,
): { readonly list: readonly NamedUrl[] } | { readonly fault: string } {
  const text = [given, ...unmangled(given)].find((one) => jsonFault(one) === undefined && parsesToList(one));
  if (text === undefined) return { fault: notJson(given, listed) };
  const list: NamedUrl[] = [];
  for (const [i, entry] of ENTRIES.parse(JSON.parse(text)).entries()) {
    const { data } = ENTRY.safeParse(entry);
    if (data === undefined) return { fault: `entry ${i + 1} is no {…}: write ${SHAPE[listed]}` };
    const [name, url] = (['name', 'url'] as const).map((key) => TEXT.safeParse(data[`${listed}_${key}`]).data);
    if (name === undefined) return { fault: `entry ${i + 1} has no "${listed}_name"` };
    if (url === undefined) return { fault: `entry ${i + 1}, ${name}, has no "${listed}_url"` };
    list.push({ name, url });
  }
  const fault = list.map(({ name }, i) => nameFault(name, list.slice(0, i))).find((one) => one !== undefined);
  return fault === undefined ? { list } : { fault };
}

/**
 * The folder of a data set or model below the work folder: its name without the suffix of an archive.
 *
 * @example
 * folderNameOf('MNISTData.tar.gz'); // 'MNISTData'
 */
export function folderNameOf(name: string): string {
  return name.replace(/(?<=.)\.(zip|tar\.gz|tgz|tar)$/i, '');
}

const SHAPE: Readonly<Record<Listed, string>> = {
  dataset: '[{"dataset_url": "s3://…", "dataset_name": "…"}]',
  model: '[{"model_url": "s3://…", "model_name": "…"}]',
};

const ENTRIES = z.array(z.unknown());
const ENTRY = z.record(z.string(), z.unknown());
const TEXT = z.string().trim().min(1);

function parsesToList(text: string): boolean {
  return ENTRIES.safeParse(JSON.parse(text)).success;
}

/** What shells and platforms make of quotes, undone. */
function* unmangled(given: string): Generator<string> {
  const bare = given.trim().replace(/^(['"])([^]*)\1$/, '$2');
  yield bare;
  // Outside of strings JSON has no backslash: where it begins with one, all quotes have one.
  if (/^\[\s*\{\s*\\"/.test(bare)) yield bare.replaceAll('\\"', '"');
}

function notJson(given: string, listed: Listed): string {
  const fault = jsonFault(given);
  if (fault === undefined) return `${excerpt(given, 0)} is JSON, but no list: write ${SHAPE[listed]}`;
  const place = fault.at === given.length ? 'at its end' : `at character ${fault.at + 1}`;
  return `this is not JSON: expected ${fault.expected} ${place}: ${excerpt(given, fault.at)}${adviceOn(given, listed)}`;
}

function adviceOn(given: string, listed: Listed): string {
  if (/^\s*\[\s*\{\s*'/.test(given)) return '; JSON has double quotes ", not single ones';
  if (!given.includes('"')) return `; its double quotes are gone, as a shell takes them: write '${SHAPE[listed]}'`;
  if (given.includes('\\"')) return '; some of its quotes are escaped and others not';
  return '';
}

/** What stands around a place, which is marked unless it lies in what nobody may see. */
function excerpt(given: string, at: number): string {
  const marked = withoutLogins(redactUrl(`${given.slice(0, at)}${MARK}${given.slice(at)}`));
  const place = marked.includes(MARK) ? marked.indexOf(MARK) : 0;
  const start = Math.max(0, place - 40);
  const end = place + 41;
  const cut = marked.slice(start, end).replace(MARK, at === 0 || at === given.length ? '' : '»');
  return `${start > 0 ? '…' : ''}${cut.replaceAll(/\s+/g, ' ')}${end < marked.length ? '…' : ''}`;
}

/** What is broken may be a URL, too, so that its user name and password are found by their `:` and `@` alone. */
function withoutLogins(text: string): string {
  return text
    .replaceAll(/[^\s"']+/g, withoutLogin)
    .replaceAll(/(:\/\/[^\s"'/:]*:)(?!\d+(?:[\s"'/]|$))[^\s"'/]+/g, '$1…');
}

/** In the time that one look takes: an expression for it would try every `:` with every `@`. */
function withoutLogin(word: string): string {
  const end = word.lastIndexOf('@');
  const colon = word.slice(0, Math.max(end, 0)).indexOf(':');
  return colon < 0 ? word : `${word.slice(0, word.lastIndexOf('/', colon) + 1)}…${word.slice(end)}`;
}

/** A character of no language, to find the place again. */
const MARK = '\uE000';

function nameFault(name: string, before: readonly NamedUrl[]): string | undefined {
  const folder = folderNameOf(name);
  if (!isBelow(folder) || /[/\\\p{Cc}]/u.test(folder)) {
    return `the name ${JSON.stringify(name)} is to be that of a folder, without / and \\: rename it`;
  }
  const other = before.find((one) => folderNameOf(one.name).toLowerCase() === folder.toLowerCase());
  if (other === undefined) return undefined;
  const what = other.name === name ? `two have the name ${name}` : `${other.name} and ${name} would share a folder`;
  return `${what}: rename one of them`;
}
