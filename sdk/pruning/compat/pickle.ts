/**
 * Python's pickles, as far as numpy writes them for an array of objects, see npy.ts. A pickle is a program that may call anything; this
 * machine knows the few opcodes that numpy needs, calls nothing, and builds nothing but numbers, texts, lists and arrays of numbers.
 */
import { PruningError } from '../../base/errors.js';
import { floatsOf } from './floats.js';

/** What a pickle can come to here. */
export type Pickled =
  | null
  | boolean
  | number
  | string
  | Uint8Array
  | readonly Pickled[]
  | Callable
  | DataType
  | NumpyArray;

/** Something that numpy's pickles call, by its name. */
export class Callable {
  constructor(readonly name: (typeof CALLABLES)[number]) {}
}

/** A type of elements: `f4`, `f8`, or `O` for objects. */
export class DataType {
  isBigEndian = false;
  constructor(readonly name: string) {}
}

/** An array of one dimension or none. */
export class NumpyArray {
  items: readonly Pickled[] = [];
}

/**
 * Reads a pickle.
 *
 * @param source the file's name, for errors
 * @throws PruningError `E_NPY_TRUNCATED`; `E_PICKLE_REFUSED` for one that wants to do more than numpy's do, naming it
 */
export function readPickle(bytes: Uint8Array, source: string): Pickled {
  return new Machine(bytes, source).run();
}

const CALLABLES = ['reconstruct', 'scalar', 'ndarray', 'dtype', 'encode'] as const;

/** Under which names they stand: numpy 2 has moved some. */
const GLOBALS: ReadonlyMap<string, (typeof CALLABLES)[number]> = new Map([
  ['numpy.core.multiarray _reconstruct', 'reconstruct'],
  ['numpy._core.multiarray _reconstruct', 'reconstruct'],
  ['numpy.core.multiarray scalar', 'scalar'],
  ['numpy._core.multiarray scalar', 'scalar'],
  ['numpy ndarray', 'ndarray'],
  ['numpy dtype', 'dtype'],
  ['_codecs encode', 'encode'],
]);

const [TRUNCATED, REFUSED] = ['E_NPY_TRUNCATED', 'E_PICKLE_REFUSED'] as const;

class Machine {
  readonly #view: DataView;
  readonly #memo = new Map<number, Pickled>();
  /** The stacks of marks that are open, and the present one. */
  readonly #below: Pickled[][] = [];
  #stack: Pickled[] = [];
  #at = 0;

  constructor(
    readonly bytes: Uint8Array,
    readonly source: string,
  ) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  run(): Pickled {
    for (let opcode = this.#byte(); opcode !== 0x2e; opcode = this.#byte()) this.#step(opcode);
    const result = this.#pop();
    if (this.#at === this.bytes.length && this.#stack.length === 0 && this.#below.length === 0) return result;
    throw this.#refused('is not one value');
  }

  /** The opcodes are described in Python's Lib/pickletools.py. */
  #step(opcode: number): void {
    switch (opcode) {
      case 0x80: // PROTO
        return void this.#byte();
      case 0x95: // FRAME: what follows comes as a whole, which it does anyway
        return void this.#take(8);
      case 0x28: // MARK
        this.#below.push(this.#stack);
        this.#stack = [];
        return;
      case 0x4e: // NONE
        return this.#push(null);
      case 0x88: // NEWTRUE
        return this.#push(true);
      case 0x89: // NEWFALSE
        return this.#push(false);
      case 0x4b: // BININT1
        return this.#push(this.#byte());
      case 0x4d: // BININT2
        return this.#push(this.#view.getUint16(this.#skip(2), true));
      case 0x4a: // BININT
        return this.#push(this.#view.getInt32(this.#skip(4), true));
      case 0x8a: // LONG1, as Python 2 has sizes
        return this.#push(this.#long());
      case 0x47: // BINFLOAT
        return this.#push(this.#view.getFloat64(this.#skip(8)));
      case 0x55: // SHORT_BINSTRING, Python 2's text and bytes
      case 0x43: // SHORT_BINBYTES
        return this.#push(this.#take(this.#byte()));
      case 0x54: // BINSTRING
      case 0x42: // BINBYTES
        return this.#push(this.#take(this.#length()));
      case 0x8c: // SHORT_BINUNICODE
        return this.#push(this.#text(this.#byte()));
      case 0x58: // BINUNICODE
        return this.#push(this.#text(this.#length()));
      case 0x5d: // EMPTY_LIST
        return this.#push([]);
      case 0x61: // APPEND
        return this.#append([this.#pop()]);
      case 0x65: // APPENDS
        return this.#append(this.#marked());
      case 0x29: // EMPTY_TUPLE
        return this.#push([]);
      case 0x85: // TUPLE1, TUPLE2, TUPLE3
      case 0x86:
      case 0x87:
        return this.#push(this.#popped(opcode - 0x84));
      case 0x74: // TUPLE
        return this.#push(this.#marked());
      case 0x71: // BINPUT
        return void this.#memo.set(this.#byte(), this.#top());
      case 0x72: // LONG_BINPUT
        return void this.#memo.set(this.#length(), this.#top());
      case 0x94: // MEMOIZE
        return void this.#memo.set(this.#memo.size, this.#top());
      case 0x68: // BINGET
        return this.#push(this.#remembered(this.#byte()));
      case 0x6a: // LONG_BINGET
        return this.#push(this.#remembered(this.#length()));
      case 0x63: // GLOBAL
        return this.#push(this.#global(this.#line(), this.#line()));
      case 0x93: {
        // STACK_GLOBAL
        const [module, name] = this.#popped(2);
        return this.#push(this.#global(this.#asText(module), this.#asText(name)));
      }
      case 0x52: {
        // REDUCE
        const [callable, given] = this.#popped(2);
        return this.#push(this.#call(callable, given));
      }
      case 0x62: // BUILD
        return this.#build(this.#pop());
      default:
        throw this.#refused(`has the opcode 0x${opcode.toString(16)}, which numpy's arrays do not`);
    }
  }

  #global(module: string, name: string): Callable {
    const known = GLOBALS.get(`${module} ${name}`);
    if (known !== undefined) return new Callable(known);
    throw this.#refused(`asks for ${JSON.stringify(`${module}.${name}`.slice(0, 80))}, which is no part of an array`);
  }

  #call(callable: Pickled, given: Pickled): Pickled {
    if (callable instanceof Callable && isList(given)) {
      const [first, second] = given;
      if (callable.name === 'reconstruct' && first instanceof Callable && first.name === 'ndarray') {
        return new NumpyArray();
      }
      if (callable.name === 'dtype') {
        const type = /^(f4|f8|O)8?$/.exec(this.#asText(first))?.[1];
        if (type !== undefined) return new DataType(type);
      }
      // Bytes, as Python 3 writes them for Python 2.
      if (callable.name === 'encode' && typeof first === 'string' && this.#asText(second) === 'latin1') {
        return Buffer.from(first, 'latin1');
      }
      if (callable.name === 'scalar' && first instanceof DataType && second instanceof Uint8Array) {
        const numbers = this.#numbers(first, second);
        if (numbers.length === 1) return numbers[0];
      }
    }
    throw this.#refused('calls something in another way than numpy does');
  }

  #build(state: Pickled): void {
    const built = this.#top();
    if (built instanceof DataType && isList(state)) {
      built.isBigEndian = this.#asText(state[1]) === '>';
      return;
    }
    if (built instanceof NumpyArray && isList(state)) {
      const [, shape, type, , data] = state;
      const items = type instanceof DataType ? this.#items(type, data) : undefined;
      const isShaped = isList(shape) && shape.length <= 1 && (shape[0] ?? 1) === items?.length;
      if (items !== undefined && isShaped) {
        built.items = items;
        return;
      }
    }
    throw this.#refused('builds something else than an array of one dimension');
  }

  #items(type: DataType, data: Pickled): readonly Pickled[] | undefined {
    if (type.name === 'O') return isList(data) ? data : undefined;
    return data instanceof Uint8Array ? this.#numbers(type, data) : undefined;
  }

  #numbers({ name, isBigEndian }: DataType, data: Uint8Array): readonly number[] {
    const size = name === 'f4' ? 4 : 8;
    if (name === 'O' || data.length % size !== 0) throw this.#refused('has numbers of another type than it says');
    return [...floatsOf(data, { size, isBigEndian })];
  }

  #append(items: readonly Pickled[]): void {
    const list = this.#pop();
    if (!isList(list)) throw this.#refused('appends to what is no list');
    this.#push([...list, ...items]);
  }

  #marked(): readonly Pickled[] {
    const marked = this.#stack;
    const below = this.#below.pop();
    if (below === undefined) throw this.#refused('ends a group that it has not begun');
    this.#stack = below;
    return marked;
  }

  #popped(count: number): readonly Pickled[] {
    if (this.#stack.length < count) throw this.#refused('takes more than there is');
    return this.#stack.splice(-count);
  }

  #pop(): Pickled {
    return this.#popped(1)[0];
  }

  #push(item: Pickled): void {
    this.#stack.push(item);
  }

  #top(): Pickled {
    const top = this.#stack.at(-1);
    if (top === undefined) throw this.#refused('takes more than there is');
    return top;
  }

  #remembered(place: number): Pickled {
    const item = this.#memo.get(place);
    if (item === undefined) throw this.#refused('remembers what it has not seen');
    return item;
  }

  #asText(item: Pickled | undefined): string {
    if (typeof item === 'string') return item;
    if (item instanceof Uint8Array) return Buffer.from(item).toString('latin1');
    throw this.#refused('has something else where a name belongs');
  }

  #line(): string {
    const end = this.bytes.indexOf(0x0a, this.#at);
    if (end < 0) throw this.#ended();
    const line = this.#take(end - this.#at);
    this.#at++;
    return Buffer.from(line).toString('latin1');
  }

  /** A whole number of up to six bytes, two's complement. */
  #long(): number {
    const bytes = this.#take(this.#byte());
    if (bytes.length > 6) throw this.#refused('has a number that is too large for a size');
    return bytes.length === 0 ? 0 : Buffer.from(bytes).readIntLE(0, bytes.length);
  }

  #text(length: number): string {
    return Buffer.from(this.#take(length)).toString();
  }

  #length(): number {
    return this.#view.getUint32(this.#skip(4), true);
  }

  #byte(): number {
    return this.bytes[this.#skip(1)];
  }

  #take(length: number): Uint8Array {
    const from = this.#skip(length);
    return this.bytes.subarray(from, from + length);
  }

  #skip(length: number): number {
    const from = this.#at;
    if (from + length > this.bytes.length) throw this.#ended();
    this.#at += length;
    return from;
  }

  #ended(): PruningError {
    return new PruningError(TRUNCATED, `${this.source}: its pickle ends too early; write it again`);
  }

  #refused(what: string): PruningError {
    return new PruningError(REFUSED, `${this.source}: its pickle ${what}: it is refused; remove the file`);
  }
}

function isList(item: Pickled): item is readonly Pickled[] {
  return Array.isArray(item);
}
