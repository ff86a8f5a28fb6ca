/**
 * The JSON at the head of a safetensors file. Read by hand: `JSON.parse` would reorder names such as `0` and keep one
 * of two equal names, which the format forbids.
 */
import { CheckpointError } from '../base/errors.js';
import { LIMITS } from './tensor-file.js';

/** One tensor as the header describes it; `begin` and `end` count bytes from the end of the header. */
export interface TensorInfo {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

/** The header's entries, in its order. */
export interface HeaderVisitor {
  tensor(name: string, info: TensorInfo): void;
  text(name: string, text: string): void;
}

/** The key that holds texts. */
export const METADATA = '__metadata__';

/**
 * Walks over a header.
 *
 * @param source the file's name, for errors
 * @throws CheckpointError `E_CKPT_FORMAT` for whatever is not a header; and what `visitor` throws
 */
export function readHeader(json: string, visitor: HeaderVisitor, source: string): void {
  let at = 0;
  let metadataSeen = false;
  object((name) => {
    if (name !== METADATA) {
      visitor.tensor(name, tensorInfo());
      return;
    }
    if (metadataSeen) throw malformed(`two entries ${METADATA}`);
    metadataSeen = true;
    object((key) => visitor.text(key, string()));
  });
  skipSpace();
  if (at < json.length) throw malformed('something follows the header');

  function tensorInfo(): TensorInfo {
    let dtype: string | undefined;
    let shape: number[] | undefined;
    let offsets: number[] | undefined;
    object((key) => {
      if (key === 'dtype' && dtype === undefined) dtype = string();
      else if (key === 'shape' && shape === undefined) shape = numbers();
      else if (key === 'data_offsets' && offsets === undefined) offsets = numbers();
      else throw malformed('a key that does not belong there');
    });
    if (dtype === undefined || shape === undefined || offsets?.length !== 2) {
      throw malformed('a tensor without dtype, shape or two data_offsets');
    }
    return { dtype, shape, begin: offsets[0], end: offsets[1] };
  }

  function object(each: (key: string) => void): void {
    expect('{');
    if (accept('}')) return;
    do {
      const key = string();
      expect(':');
      each(key);
    } while (accept(','));
    expect('}');
  }

  function numbers(): number[] {
    const list: number[] = [];
    expect('[');
    if (accept(']')) return list;
    do {
      if (list.length === LIMITS.dimensions) throw malformed(`more than ${LIMITS.dimensions} dimensions`);
      list.push(number());
    } while (accept(','));
    expect(']');
    return list;
  }

  function number(): number {
    skipSpace();
    const from = at;
    while (json[at] >= '0' && json[at] <= '9') at++;
    const value = Number(json.slice(from, at));
    if (at === from || !Number.isSafeInteger(value)) throw malformed('a whole number in [0, 2⁵³) is missing');
    return value;
  }

  function string(): string {
    expect('"');
    const from = at - 1;
    while (at < json.length && json[at] !== '"') at += json[at] === '\\' ? 2 : 1;
    expect('"');
    try {
      return String(JSON.parse(json.slice(from, at)));
    } catch {
      throw malformed('a string that is not JSON');
    }
  }

  function expect(char: string): void {
    if (!accept(char)) throw malformed(`${char} is missing`);
  }

  function accept(char: string): boolean {
    skipSpace();
    if (json[at] !== char) return false;
    at++;
    return true;
  }

  function skipSpace(): void {
    while (json[at] === ' ' || json[at] === '\n' || json[at] === '\r' || json[at] === '\t') at++;
  }

  function malformed(what: string): CheckpointError {
    return new CheckpointError(
      'E_CKPT_FORMAT',
      `${source}: not a safetensors file, or damaged: ${what} (in the header, at character ${at})`,
    );
  }
}

/** The header's JSON: texts, then tensors in their order. */
export function writeHeader(
  tensors: Iterable<readonly [string, TensorInfo]>,
  texts: Iterable<readonly [string, string]>,
): string {
  const entries: string[] = [];
  const metadata = Array.from(texts, ([name, text]) => `${JSON.stringify(name)}:${JSON.stringify(text)}`);
  if (metadata.length > 0) entries.push(`"${METADATA}":{${metadata.join(',')}}`);
  for (const [name, { dtype, shape, begin, end }] of tensors) {
    entries.push(`${JSON.stringify(name)}:${JSON.stringify({ dtype, shape, data_offsets: [begin, end] })}`);
  }
  return `{${entries.join(',')}}`;
}
