/** Tars made byte by byte, right or wrong as a test needs them. */

export interface CraftedTar {
  readonly name: string | Buffer;
  readonly data?: Buffer;
  /** The type flag, by default `0`, a file. */
  readonly type?: string;
  readonly mode?: number;
  /** `ustar\0` and its version by default; empty for V7. */
  readonly magic?: string;
  readonly prefix?: string;
  /** What the header says in place of the truth. */
  readonly size?: number | string;
  readonly checksum?: number;
}

/** Entries, and the two blocks of zeros that end a tar unless `end` says otherwise. */
export function craftTar(entries: readonly CraftedTar[], end: Buffer = Buffer.alloc(1024)): Buffer {
  return Buffer.concat([...entries.flatMap((entry) => [headerOf(entry), padded(entry.data)]), end]);
}

/** The records of a pax header, as its content. */
export function paxRecords(records: Readonly<Record<string, string>>): Buffer {
  return Buffer.concat(Object.entries(records).map(([key, value]) => paxRecord(key, Buffer.from(value))));
}

function paxRecord(key: string, value: Buffer): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${key}=`), value, Buffer.from('\n')]);
  let length = rest.length;
  while (`${length}`.length + rest.length !== length) length = `${length}`.length + rest.length;
  return Buffer.concat([Buffer.from(`${length}`), rest]);
}

function headerOf({
  name,
  data,
  type = '0',
  mode = 0o644,
  magic = 'ustar\x0000',
  prefix = '',
  ...said
}: CraftedTar): Buffer {
  const block = Buffer.alloc(512);
  Buffer.from(name).copy(block, 0, 0, 100);
  block.write(octal(mode, 7), 100);
  block.write(octal(0, 7), 108);
  block.write(octal(0, 7), 116);
  const size = said.size ?? data?.length ?? 0;
  block.write(typeof size === 'string' ? size : octal(size, 11), 124, 12, 'latin1');
  block.write(octal(0, 11), 136);
  block.write(type, 156);
  block.write(magic, 257);
  block.write(prefix, 345);
  block.fill(' ', 148, 156);
  const sum = said.checksum ?? block.reduce((a, b) => a + b);
  block.write(`${octal(sum, 6)}\0 `, 148);
  return block;
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, '0');
}

function padded(data: Buffer = Buffer.alloc(0)): Buffer {
  return Buffer.concat([data, Buffer.alloc((512 - (data.length % 512)) % 512)]);
}
