/** The shared library behind the native engine: where it lies, and its C functions (native/mindts.h) typed. */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { sep } from 'node:path';
import { EngineError } from '../../base/errors.js';
import { libraryCandidates } from '../../base/native-library.js';
import { packageRoot } from '../../base/package.js';

/** An opaque pointer of C. */
export type Pointer = object;

/** The C functions. Pointers to arrays are typed arrays; those of async calls must stay referenced until they end. */
export interface NativeLibrary {
  readonly path: string;
  /** What failed last in a program, or in creating one. */
  error(program: Pointer | null): string;
  instructionSets(): string[];
  peak(set: string, threads: number, seconds: number): Promise<number>;
  /** Seconds that one layer takes, forward and backward: `mindts_layer_seconds`. */
  layerSeconds(
    set: string,
    op: Int32Array,
    parameters: number,
    batch: number,
    threads: number,
    rounds: number,
  ): Promise<number>;
  create(
    set: string,
    shape: Int32Array,
    valueSizes: Int32Array,
    ops: Int32Array,
    numbers: Float32Array,
  ): Pointer | null;
  destroy(program: Pointer): void;
  setState(program: Pointer, state: Float32Array, step: number): void;
  getState(program: Pointer, state: Float32Array): number;
  stop(program: Pointer): void;
  train(
    program: Pointer,
    images: Uint8Array,
    labels: Int32Array,
    stored: number,
    order: Int32Array,
    count: number,
    rates: Float32Array,
    spans: Int32Array | null,
    layers: number,
    bounds: Float32Array | null,
    active: Uint8Array | null,
    maskedStay: number,
    losses: Float32Array,
    results: Int32Array,
  ): Promise<number>;
  /** 0 when it failed. */
  setMask(program: Pointer, mask: Uint8Array | null): number;
  /** 0 when there is none. */
  getMask(program: Pointer, mask: Uint8Array): number;
  evaluateCandidates(
    program: Pointer,
    images: Uint8Array | null,
    labels: Int32Array,
    stored: number,
    order: Int32Array,
    count: number,
    spans: Int32Array,
    layers: number,
    saliency: Float32Array | null,
    bounds: Float32Array,
    candidates: number,
    correct: Int32Array,
    losses: Float64Array,
    kept: Int32Array,
  ): Promise<number>;
  /** Null when it failed; then `error` (512 bytes) holds a sentence. */
  joinMemory(path: string, rank: number, size: number, seconds: number, error: Uint8Array): Promise<Pointer | null>;
  joinNetwork(
    host: string,
    port: number,
    token: string,
    rank: number,
    size: number,
    seconds: number,
    error: Uint8Array,
  ): Promise<Pointer | null>;
  joinMpi(library: string, rank: number, size: number, seconds: number, error: Uint8Array): Promise<Pointer | null>;
  allReduce(
    communicator: Pointer,
    values: Float32Array,
    count: number,
    seconds: number,
    error: Uint8Array,
  ): Promise<number>;
  allGather(
    communicator: Pointer,
    mine: Uint8Array,
    bytes: number,
    all: Uint8Array,
    seconds: number,
    error: Uint8Array,
  ): Promise<number>;
  broadcast(
    communicator: Pointer,
    bytes: Uint8Array,
    count: number,
    seconds: number,
    error: Uint8Array,
  ): Promise<number>;
  abandon(communicator: Pointer, reason: string): void;
  leave(communicator: Pointer): void;
  /** Calls that wait for other ranks fail within a second. */
  endWaits(): void;
  setCommunicator(program: Pointer, communicator: Pointer | null, seconds: number): void;
  exchangeSeconds(program: Pointer): number;
  evaluate(
    program: Pointer,
    images: Uint8Array,
    labels: Int32Array,
    stored: number,
    order: Int32Array,
    count: number,
    result: Float64Array,
  ): Promise<number>;
  predict(
    program: Pointer,
    images: Uint8Array,
    stored: number,
    order: Int32Array,
    count: number,
    outputs: Float32Array,
  ): Promise<number>;
}

const ABI = 6;
/** What builds the library: npm rebuilds what is installed, and not the clone one stands in. */
const BUILD = packageRoot.includes(`${sep}node_modules${sep}`) ? 'npm rebuild mindts' : 'npm run build';
const platform = `${process.platform}-${process.arch}`;
let loaded: NativeLibrary | undefined;

/**
 * Loads the library once.
 *
 * @throws EngineError `E_NATIVE_ABSENT` when there is none, `E_NATIVE_LOAD` when it cannot be loaded
 */
export function loadLibrary(): NativeLibrary {
  loaded ??= open();
  return loaded;
}

function open(): NativeLibrary {
  if (process.env['MINDTS_NATIVE'] === 'off') {
    throw new EngineError(
      'E_NATIVE_ABSENT',
      'the native engine is switched off (MINDTS_NATIVE=off): unset MINDTS_NATIVE to use it',
    );
  }
  const present = libraryCandidates().filter((path) => existsSync(path));
  if (present.length === 0) {
    throw new EngineError(
      'E_NATIVE_ABSENT',
      `the native engine is not built for ${platform}: install a C++ compiler (Debian: apt-get install g++), then run \`${BUILD}\``,
    );
  }
  const failures: string[] = [];
  for (const path of present) {
    try {
      return bind(path);
    } catch (error) {
      failures.push(`${path}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  throw new EngineError(
    'E_NATIVE_LOAD',
    `the native engine cannot be loaded (${failures.join('; ')}): build it here with \`${BUILD}\``,
  );
}

function bind(path: string): NativeLibrary {
  // Loaded here and not at the top: `mindts --help` needs no engine.
  const koffi: typeof import('koffi') = createRequire(import.meta.url)('koffi');
  const lib = koffi.load(path);
  const abi: () => number = lib.func('int mindts_abi(void)');
  if (abi() !== ABI) throw new Error(`it is of another version (ABI ${abi()}, not ${ABI})`);
  const names: () => string = lib.func('const char* mindts_instruction_sets(void)');
  const train = lib.func(
    'int mindts_train(void* p, const uint8_t* images, const int32_t* labels, int32_t stored, const int32_t* order, int32_t count, const float* rates, const int32_t* spans, int layers, const float* bounds, const uint8_t* active, int stay, float* losses, int32_t* results)',
  );
  const evaluate = lib.func(
    'int mindts_evaluate(void* p, const uint8_t* images, const int32_t* labels, int32_t stored, const int32_t* order, int32_t count, double* result)',
  );
  const evaluateCandidates = lib.func(
    'int mindts_evaluate_candidates(void* p, const uint8_t* images, const int32_t* labels, int32_t stored, const int32_t* order, int32_t count, const int32_t* spans, int layers, const float* saliency, const float* bounds, int candidates, int32_t* correct, double* losses, int32_t* kept)',
  );
  const predict = lib.func(
    'int mindts_predict(void* p, const uint8_t* images, int32_t stored, const int32_t* order, int32_t count, float* outputs)',
  );
  const peak = lib.func('double mindts_peak(const char* set, int threads, double seconds)');
  const layerSeconds = lib.func(
    'double mindts_layer_seconds(const char* set, const int32_t* op, int parameters, int batch, int threads, int rounds)',
  );
  const joinMemory = lib.func(
    'void* mindts_join_memory(const char* path, int rank, int size, double seconds, uint8_t* error)',
  );
  const joinNetwork = lib.func(
    'void* mindts_join_network(const char* host, int port, const char* token, int rank, int size, double seconds, uint8_t* error)',
  );
  const joinMpi = lib.func(
    'void* mindts_join_mpi(const char* library, int rank, int size, double seconds, uint8_t* error)',
  );
  const allReduce = lib.func(
    'int mindts_all_reduce(void* c, float* values, int64_t count, double seconds, uint8_t* error)',
  );
  const allGather = lib.func(
    'int mindts_all_gather(void* c, const uint8_t* mine, int64_t bytes, uint8_t* all, double seconds, uint8_t* error)',
  );
  const broadcast = lib.func(
    'int mindts_broadcast(void* c, uint8_t* bytes, int64_t count, double seconds, uint8_t* error)',
  );
  return {
    path,
    joinMemory: (...args) => offLoop(joinMemory, args),
    joinNetwork: (...args) => offLoop(joinNetwork, args),
    joinMpi: (...args) => offLoop(joinMpi, args),
    allReduce: (...args) => offLoop(allReduce, args),
    allGather: (...args) => offLoop(allGather, args),
    broadcast: (...args) => offLoop(broadcast, args),
    abandon: lib.func('void mindts_abandon(void* c, const char* reason)'),
    leave: lib.func('void mindts_leave(void* c)'),
    endWaits: lib.func('void mindts_end_waits(void)'),
    setCommunicator: lib.func('void mindts_set_communicator(void* p, void* c, double seconds)'),
    exchangeSeconds: lib.func('double mindts_exchange_seconds(void* p)'),
    error: lib.func('const char* mindts_error(void* p)'),
    instructionSets: () => names().split(','),
    peak: (...args) => offLoop(peak, args),
    layerSeconds: (...args) => offLoop(layerSeconds, args),
    create: lib.func(
      'void* mindts_program_create(const char* set, const int32_t* shape, const int32_t* sizes, const int32_t* ops, const float* numbers)',
    ),
    destroy: lib.func('void mindts_program_destroy(void* p)'),
    setState: lib.func('void mindts_set_state(void* p, const float* state, double step)'),
    getState: lib.func('double mindts_get_state(void* p, float* state)'),
    stop: lib.func('void mindts_stop(void* p)'),
    train: (...args) => offLoop(train, args),
    setMask: lib.func('int mindts_set_mask(void* p, const uint8_t* mask)'),
    getMask: lib.func('int mindts_get_mask(void* p, uint8_t* mask)'),
    evaluateCandidates: (...args) => offLoop(evaluateCandidates, args),
    evaluate: (...args) => offLoop(evaluate, args),
    predict: (...args) => offLoop(predict, args),
  };
}

/** Calls a C function on a thread of libuv's pool; the event loop goes on. */
function offLoop<T>(func: { async: (...args: never[]) => unknown }, args: readonly unknown[]): Promise<T> {
  return new Promise((resolve, reject) => {
    const done = (error: unknown, result: T): void => (error ? reject(error) : resolve(result));
    Reflect.apply(func.async, func, [...args, done]);
  });
}
