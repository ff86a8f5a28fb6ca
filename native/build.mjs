// Builds the native library with whatever C++ compiler is here: no node-gyp, no Node headers, no downloads.
//
//   node native/build.mjs              build/ for this machine, if it is older than its sources; a missing compiler is a warning
//   node native/build.mjs --install    the same, but nothing to do where a prebuilt library for this platform came along
//   node native/build.mjs --prebuilt   prebuilt/<platform>/ for the tarball: this platform, and linux-arm64 where its cross compiler is
//   node native/build.mjs --to FOLDER [--arch arm64] [--portable] [-- FLAGS]   for tests: a library of its own
//
// CXX names another compiler.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const here = dirname(fileURLToPath(import.meta.url));
const common = [
  '-std=c++17',
  '-O3',
  '-fPIC',
  '-fvisibility=hidden',
  '-ffp-contract=fast',
  '-fno-math-errno',
  '-fno-trapping-math',
  '-pthread',
  // Vectors wider than a set's registers are handed on within a file alone.
  '-Wno-psabi',
];
const instructionSets = {
  x64: {
    avx512: ['-mavx512f', '-mavx512vl', '-mavx512bw', '-mavx512dq', '-mavx2', '-mfma', '-mprefer-vector-width=512'],
    avx2: ['-mavx2', '-mfma'],
    baseline: [],
  },
  arm64: { neon: [] },
};
const extension = process.platform === 'darwin' ? 'dylib' : 'so';
// What native/glibc.cpp binds to older versions.
const wrapped = ['log', 'pow', 'pthread_create', 'pthread_join', 'dlopen', 'dlsym', 'dlerror', 'fstat'];

/** The sources and this file, as one hash: a library is built again when it changes. */
function sourceHash() {
  const hash = createHash('sha256');
  for (const name of readdirSync(here).sort()) {
    if (/\.(cpp|h|map|mjs)$/.test(name)) hash.update(name).update(readFileSync(join(here, name)));
  }
  return hash.digest('hex');
}

function findCompiler() {
  const wanted = process.env.CXX ? [process.env.CXX] : ['c++', 'g++', 'clang++'];
  return wanted.find((name) => spawnSync(name, ['--version']).status === 0);
}

function run(command, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'pipe'] });
    let output = '';
    child.stderr.on('data', (chunk) => (output += chunk));
    child.on('error', reject);
    child.on('close', (code) =>
      code === 0 ? resolve() : reject(new Error(`${command} ${args.join(' ')}\n${output}`)),
    );
  });
}

/**
 * Compiles into a folder of its own, then renames: a killed build leaves nothing that looks whole.
 * portable: for any Linux with glibc 2.28 or newer. flags: for the compiler and the linker, besides ours.
 */
async function build({ compiler, arch = process.arch, folder, portable = false, flags = [] }) {
  mkdirSync(dirname(folder), { recursive: true });
  const work = mkdtempSync(join(dirname(folder), '.build-'));
  try {
    const object = (name) => join(work, `${name}.o`);
    const sets = Object.keys(instructionSets[arch]);
    const others = [
      'program',
      'train',
      'masks',
      'candidates',
      'measure',
      'dispatch',
      'jpeg',
      'photo',
      'parallel',
      'shared_memory',
      'sockets',
      'messages',
      'hello',
      'meeting',
      'mesh',
      'collectives',
      'network',
      'mpi',
      ...(portable ? ['glibc'] : []),
    ];
    const compile = (name, ...args) => [...common, ...flags, ...args, '-c', join(here, `${name}.cpp`)];
    const perSet = sets.flatMap((set) => ['kernels', 'pixels'].map((name) => ({ set, name, file: `${name}-${set}` })));
    const waiting = [
      ...perSet.map(({ set, name, file }) => [
        ...compile(name, ...instructionSets[arch][set], `-DMINDTS_ISA=${set}`),
        '-o',
        object(file),
      ]),
      ...others.map((name) => [...compile(name), '-o', object(name)]),
    ];
    const workers = Array.from({ length: Math.min(availableParallelism(), 4) }, async () => {
      for (let job = waiting.shift(); job; job = waiting.shift()) await run(compiler, job);
    });
    await Promise.all(workers);
    const objects = [...perSet.map(({ file }) => file), ...others].map(object);
    const link = ['-shared', '-pthread', ...linkerFlags({ portable, flags })];
    await run(compiler, [...link, ...objects, '-ldl', '-o', join(work, `mindts.${extension}`)]);
    for (const path of objects) rmSync(path);
    writeFileSync(join(work, 'source.sha256'), sourceHash());
    // mkdtemp's folders are for their owner alone; a package installed by root is for everyone.
    chmodSync(work, 0o755);
    rmSync(folder, { recursive: true, force: true });
    renameSync(work, folder);
  } catch (error) {
    rmSync(work, { recursive: true, force: true });
    throw error;
  }
}

function linkerFlags({ portable, flags }) {
  // With flags of a test, such as a sanitizer's, symbols stay for its reports and the runtime must be the shared one.
  if (flags.length > 0) return flags;
  if (process.platform !== 'linux') return ['-s'];
  return [
    '-s',
    '-Wl,--gc-sections',
    `-Wl,--version-script=${join(here, 'exports.map')}`,
    '-static-libstdc++',
    // The static libgcc needs glibc 2.35; the shared one is there wherever Node is.
    ...(portable ? wrapped.map((name) => `-Wl,--wrap=${name}`) : ['-static-libgcc']),
  ];
}

function isCurrent(folder) {
  const stamp = join(folder, 'source.sha256');
  return (
    existsSync(join(folder, `mindts.${extension}`)) && existsSync(stamp) && readFileSync(stamp, 'utf8') === sourceHash()
  );
}

/** Prebuilt Linux libraries need glibc, which Alpine for one does not have. */
function canUsePrebuilt() {
  return process.platform !== 'linux' || process.report.getReport().header.glibcVersionRuntime !== undefined;
}

async function prebuild(folderOf) {
  const compiler = findCompiler();
  if (!compiler) throw new Error('packing needs a C++ compiler: c++, g++ or clang++');
  const own = `${process.platform}-${process.arch}`;
  const portable = process.platform === 'linux';
  if (!isCurrent(folderOf(own))) await build({ compiler, folder: folderOf(own), portable });
  const cross = 'aarch64-linux-gnu-g++';
  if (own === 'linux-x64' && spawnSync(cross, ['--version']).status === 0) {
    const folder = folderOf('linux-arm64');
    if (!isCurrent(folder)) await build({ compiler: cross, arch: 'arm64', folder, portable });
  } else if (own !== 'linux-arm64') {
    console.warn(`mindts: ${cross} is not here, so the package gets no library for linux-arm64`);
  }
}

async function main({ values: options, positionals: flags }) {
  const prebuilt = (platform) => join(here, 'prebuilt', platform);
  if (options.prebuilt) return prebuild(prebuilt);
  const arch = options.arch ?? process.arch;
  if (!(arch in instructionSets)) {
    console.warn(`mindts: no native kernels for ${arch} yet; the reference engine will be used`);
    return;
  }
  const compiler = findCompiler();
  if (options.to) {
    await build({ compiler, arch, folder: resolve(options.to), portable: options.portable, flags });
    return;
  }
  if (options.install && isCurrent(prebuilt(`${process.platform}-${arch}`)) && canUsePrebuilt()) return;
  const folder = join(here, 'build');
  if (isCurrent(folder)) return;
  if (!compiler) {
    console.warn(
      'mindts: no C++ compiler (c++, g++ or clang++), so the native engine is not built; `npx mindts doctor` says more',
    );
    return;
  }
  console.log(`mindts: building the native engine with ${compiler} …`);
  await build({ compiler, folder });
}

const command = parseArgs({
  allowPositionals: true,
  options: {
    install: { type: 'boolean' },
    prebuilt: { type: 'boolean' },
    to: { type: 'string' },
    arch: { type: 'string' },
    portable: { type: 'boolean' },
  },
});
main(command).catch((error) => {
  console.error(`mindts: the native engine could not be built: ${error.message}`);
  // An install goes on without it: the reference engine runs everywhere.
  process.exitCode = command.values.install ? 0 : 1;
});
