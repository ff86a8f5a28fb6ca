// Builds the native library with whatever C++ compiler is here: no node-gyp, no Node headers, no downloads.
//
//   node native/build.mjs              build/ for this machine, if it is older than its sources; a missing compiler is a warning
//   node native/build.mjs --install    the same, but nothing to do where a prebuilt library for this platform came along
//   node native/build.mjs --prebuilt   prebuilt/<platform>/ for the tarball: this platform, and linux-arm64 where its cross compiler is
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
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
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

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

/** The sources and this file, as one hash: a library is built again when it changes. */
function sourceHash() {
  const hash = createHash('sha256');
  for (const name of readdirSync(here).sort()) {
    if (/\.(cpp|h|mjs)$/.test(name)) hash.update(name).update(readFileSync(join(here, name)));
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

/** Compiles into a folder of its own, then renames: a killed build leaves nothing that looks whole. */
async function build(compiler, arch, folder, extra = []) {
  mkdirSync(dirname(folder), { recursive: true });
  const work = mkdtempSync(join(dirname(folder), '.build-'));
  try {
    const object = (name) => join(work, `${name}.o`);
    const jobs = Object.entries(instructionSets[arch]).map(([set, flags]) => {
      return [...common, ...flags, `-DMINDTS_ISA=${set}`, '-c', join(here, 'kernels.cpp'), '-o', object(set)];
    });
    for (const name of ['program', 'dispatch'])
      jobs.push([...common, '-c', join(here, `${name}.cpp`), '-o', object(name)]);
    const waiting = [...jobs];
    const workers = Array.from({ length: Math.min(availableParallelism(), 4) }, async () => {
      for (let job = waiting.shift(); job; job = waiting.shift()) await run(compiler, [...extra, ...job]);
    });
    await Promise.all(workers);
    const objects = [...Object.keys(instructionSets[arch]), 'program', 'dispatch'].map(object);
    const staticRuntime =
      process.platform === 'linux' ? ['-static-libstdc++', '-static-libgcc', '-Wl,--exclude-libs,ALL'] : [];
    await run(compiler, [
      ...extra,
      '-shared',
      '-s',
      '-pthread',
      ...staticRuntime,
      ...objects,
      '-o',
      join(work, `mindts.${extension}`),
    ]);
    for (const path of objects) rmSync(path);
    writeFileSync(join(work, 'source.sha256'), sourceHash());
    rmSync(folder, { recursive: true, force: true });
    renameSync(work, folder);
  } catch (error) {
    rmSync(work, { recursive: true, force: true });
    throw error;
  }
}

function isCurrent(folder) {
  const stamp = join(folder, 'source.sha256');
  return (
    existsSync(join(folder, `mindts.${extension}`)) && existsSync(stamp) && readFileSync(stamp, 'utf8') === sourceHash()
  );
}

async function main() {
  const mode = process.argv[2];
  const prebuilt = (platform) => join(here, 'prebuilt', platform);
  if (mode === '--prebuilt') {
    const compiler = findCompiler();
    if (!compiler) throw new Error('packing needs a C++ compiler: c++, g++ or clang++');
    const own = `${process.platform}-${process.arch}`;
    if (!isCurrent(prebuilt(own))) await build(compiler, process.arch, prebuilt(own));
    const cross = 'aarch64-linux-gnu-g++';
    if (own === 'linux-x64' && spawnSync(cross, ['--version']).status === 0) {
      if (!isCurrent(prebuilt('linux-arm64'))) await build(cross, 'arm64', prebuilt('linux-arm64'));
    } else if (own !== 'linux-arm64') {
      console.warn(`mindts: ${cross} is not here, so the package gets no library for linux-arm64`);
    }
    return;
  }
  if (!(process.arch in instructionSets)) {
    console.warn(`mindts: no native kernels for ${process.arch} yet; the reference engine will be used`);
    return;
  }
  if (mode === '--install' && isCurrent(prebuilt(`${process.platform}-${process.arch}`))) return;
  const folder = join(here, 'build');
  if (isCurrent(folder)) return;
  const compiler = findCompiler();
  if (!compiler) {
    console.warn(
      'mindts: no C++ compiler (c++, g++ or clang++), so the native engine is not built; `npx mindts doctor` says more',
    );
    return;
  }
  console.log(`mindts: building the native engine with ${compiler} …`);
  await build(compiler, process.arch, folder);
}

main().catch((error) => {
  console.error(`mindts: the native engine could not be built: ${error.message}`);
  // An install goes on without it: the reference engine runs everywhere.
  process.exitCode = process.argv[2] === '--install' ? 0 : 1;
});
