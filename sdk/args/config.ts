/** Hyper-parameters as a file that a person edits: flat YAML, its keys spelled as the flags. */
import type { Node } from 'yaml';
import { ArgumentError, StorageError, systemReason } from '../base/errors.js';
import { readRegular } from '../base/files.js';
import { redactUrl } from '../base/log.js';
import { nearest } from './nearest.js';
import { type Options, type OptionTable, readValue } from './option.js';

/**
 * Reads a YAML 1.2 configuration file by the same table of options as the command line. A key without a
 * value (`ckpt_url:`, `null`, `''`) means "not given".
 *
 * @param settings also: keys of other commands, which are passed over, so that one file serves several; read: gives the
 *   content of a file, for those that are not on this machine
 * @throws ArgumentError `E_CONFIG_READ` when the file cannot be read, `E_CONFIG_YAML` when it is not a flat
 *   YAML map, `E_CONFIG_KEY` for an unknown key, `E_ARGUMENT_VALUE` for a wrong value; each names file and line
 * @example
 * const options = { batch_size: integer({ min: 1, default: 8, description: 'samples per step' }) };
 * await readConfig('missing.yaml', options).catch((error) => error.code); // 'E_CONFIG_READ'
 */
export async function readConfig<V extends object>(
  path: string,
  options: Options<V>,
  { also = {}, read = readRegular }: { readonly also?: OptionTable; readonly read?: ReadFile } = {},
): Promise<Partial<V>> {
  const entries = await readEntries(path, read);
  const unknown = [...entries.keys()].find((key) => !Object.hasOwn(options, key) && !Object.hasOwn(also, key));
  if (unknown !== undefined) {
    const meant = nearest(unknown, Object.keys(options));
    throw new ArgumentError(
      'E_CONFIG_KEY',
      `${entries.get(unknown)?.where}: unknown key ${unknown}; ` +
        (meant === undefined ? `the known ones are ${Object.keys(options).join(', ')}` : `did you mean ${meant}?`),
    );
  }
  const values: Partial<V> = {};
  for (const name in options) {
    const entry = entries.get(name);
    if (entry !== undefined && entry.written !== '') {
      values[name] = readValue(options[name], entry.written, `${entry.where}: ${name}`);
    }
  }
  return values;
}

type ReadFile = (path: string) => Promise<Buffer>;

interface Entry {
  /** The value as it is written, so that `007` stays text and `1e-3` is read by the option's own rule. */
  readonly written: string;
  /** `configs/mnist.yaml:3` */
  readonly where: string;
}

async function readEntries(path: string, read: ReadFile): Promise<Map<string, Entry>> {
  const bytes = await read(path).catch((cause: unknown) => {
    // It names the file and says what to do.
    if (cause instanceof StorageError) throw cause;
    throw new ArgumentError('E_CONFIG_READ', `cannot read the configuration file ${path}: ${systemReason(cause)}`, {
      cause,
    });
  });
  const source = bytes.toString('utf8');
  // Loaded here because few commands read a file, and every one should start at once.
  const { LineCounter, isAlias, isMap, isScalar, parseDocument } = await import('yaml');
  const lines = new LineCounter();
  const document = parseDocument(source, { schema: 'core', lineCounter: lines, prettyErrors: false });
  const at = (offset: number | undefined): string => `${redactUrl(path)}:${lines.linePos(offset ?? 0).line}`;

  const fault = [...document.errors, ...document.warnings].at(0);
  if (fault !== undefined) throw notYaml(at(fault.pos[0]), fault.message);
  const entries = new Map<string, Entry>();
  if (document.contents === null) return entries;
  if (!isMap<Node, Node | null>(document.contents)) throw notYaml(at(0), 'expected lines of the form `key: value`');
  for (const { key, value } of document.contents.items) {
    const where = at(key.range?.[0]);
    if (!isScalar(key) || typeof key.value !== 'string') throw notYaml(where, 'a key must be a plain word');
    const content = isAlias(value) ? value.resolve(document) : value;
    if (content !== null && !isScalar(content))
      throw notYaml(where, `${key.value} must be one value, not a list or a map`);
    const isNothing = content === null || content.value === null;
    entries.set(key.value, { written: isNothing ? '' : (content.source ?? String(content.value)), where });
  }
  return entries;
}

function notYaml(where: string, why: string): ArgumentError {
  return new ArgumentError('E_CONFIG_YAML', `${where}: this is not a flat YAML map: ${why}`);
}
