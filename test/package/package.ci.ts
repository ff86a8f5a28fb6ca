/** The package as people get it: packed, installed into an empty folder, and run there. Needs npm's registry or cache. */
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import t from 'tap';
import { packageRoot, packageVersion } from '../../sdk/base/package.js';
import { python } from './boot.js';
import { emptyFolder, install, pack, pathWithoutCompilers, run, succeed } from './tarball.js';

const folder = emptyFolder(t.teardown);
const tarball = pack(folder);
// A name that shells and URLs stumble over.
const app = install(tarball, join(folder, 'my app 应用'));
const installed = join(app, 'node_modules', 'mindts');
const prebuilt = join(installed, 'native', 'prebuilt');
const env = { MINDTS_CACHE: join(folder, 'cache') };

const mindts = (cwd: string, ...args: readonly string[]): string =>
  succeed(process.execPath, [join('node_modules', 'mindts', 'dist', 'sdk', 'cli', 'mindts.js'), ...args], { cwd, env });
const digits = join(folder, 'digits');
mindts(app, 'dataset', 'make', digits, '--train', '200', '--test', '50');
const train = ['train', '--data_url', digits, '--epoch_size', '1', '--train_url'] as const;

t.test('the tarball holds what runs, what builds and what explains, and no more', async (t) => {
  const files = succeed('tar', ['-tzf', tarball], { cwd: folder }).trim().split('\n');
  const kinds = [
    /^package\/dist\/(datasets|scripts|sdk)\/[\w./-]+\.(js|d\.ts)$/,
    /^package\/native\/(\w+\.(cpp|h|mjs|map)|prebuilt\/(linux|darwin)-(x64|arm64)\/(mindts\.(so|dylib)|source\.sha256))$/,
    /^package\/(configs|docs)\//,
    /^package\/(package\.json|LICENSE|README(\.zh-CN)?\.md|scripts\/boot\.py)$/,
  ];
  t.same(
    files.filter((file) => !kinds.some((kind) => kind.test(file))),
    [],
  );
  t.ok(statSync(tarball).size < 2_000_000, `${statSync(tarball).size} bytes`);
});

t.test(
  'prebuilt libraries load wherever Node 20 does: glibc 2.28, no C++ runtime, nothing shown but the C ABI',
  async (t) => {
    if (run('objdump', ['--version'], { cwd: app }).status !== 0) return t.skip('objdump not installed');
    for (const platform of readdirSync(prebuilt).filter((name) => name.startsWith('linux-'))) {
      const library = join(prebuilt, platform, 'mindts.so');
      const headers = succeed('objdump', ['-p', library], { cwd: app });
      const needed = Array.from(headers.matchAll(/NEEDED\s+(\S+)/g), ([, name]) => name);
      const loader = /^ld-linux[\w-]*\.so\.[12]$/;
      t.same(needed.filter((name) => !loader.test(name)).sort(), ['libc.so.6', 'libgcc_s.so.1', 'libm.so.6'], platform);

      const symbols = succeed('objdump', ['-T', library], { cwd: app }).split('\n');
      const tooNew = symbols.filter((line) => Number(/GLIBC_2\.(\d+)/.exec(line)?.[1] ?? 0) > 28);
      t.same(tooNew, [], `${platform}: nothing newer than glibc 2.28`);
      const shown = symbols
        .filter((line) => /^[0-9a-f]{16} [gwu](?!.*\*UND\*)/.test(line))
        .map((line) => line.split(' ').at(-1));
      t.ok(shown.length > 0);
      t.same(
        shown.filter((name) => !name?.startsWith('mindts_')),
        [],
      );
    }
  },
);

t.test('the command runs, trains with the prebuilt library, and writes a checkpoint', async (t) => {
  t.equal(succeed('npx', ['--no-install', 'mindts', '--version'], { cwd: app, env }).trim(), packageVersion());
  t.match(mindts(app, 'doctor'), new RegExp(`native +.*prebuilt.${process.platform}-${process.arch}`));
  mindts(app, ...train, 'out');
  t.ok(readdirSync(join(app, 'out')).some((name) => name.endsWith('.ckpt')));
});

t.test('a launch script runs by its path, as a platform starts it', async (t) => {
  const script = join('node_modules', 'mindts', 'dist', 'scripts', 'train.js');
  succeed(process.execPath, [script, ...train.slice(1), 'launched'], { cwd: app, env });
  t.ok(existsSync(join(app, 'launched', 'history.json')));
});

t.test('boot.py trains from the tarball beside it, in Python 3 alone', async (t) => {
  if ('missing' in python) return t.skip(python.missing);
  const code = join(folder, 'code 代码');
  mkdirSync(code);
  cpSync(join(installed, 'scripts', 'boot.py'), join(code, 'boot.py'));
  cpSync(tarball, join(code, basename(tarball)));
  const out = join(folder, 'booted');
  succeed(python.path, [join(code, 'boot.py'), '--script=train', ...train.slice(1), out], { cwd: folder, env });
  t.ok(existsSync(join(out, 'history.json')));
  t.same(readdirSync(code).sort(), ['boot.py', basename(tarball)]);
});

t.test('TypeScript sees its types, from ES modules and from CommonJS', async (t) => {
  symlinkSync(join(packageRoot, 'node_modules', '@types'), join(app, 'node_modules', '@types'));
  for (const file of ['imports.mts', 'requires.cts'])
    cpSync(join(packageRoot, 'test/package/consumer', file), join(app, file));
  const tsc = join(packageRoot, 'node_modules', '.bin', 'tsc');
  const options = ['--strict', '--target', 'es2023', '--module', 'nodenext', '--types', 'node'];
  succeed(tsc, [...options, 'imports.mts', 'requires.cts'], { cwd: app });
  t.equal(succeed(process.execPath, ['imports.mjs'], { cwd: app }), 'true function function 61706\n');
  t.equal(succeed(process.execPath, ['requires.cjs'], { cwd: app }), 'function 61706\n');
});

t.test('it works without install scripts too', async (t) => {
  const app = install(tarball, join(folder, 'no-scripts'), '--ignore-scripts');
  t.match(mindts(app, 'doctor'), /native +.*prebuilt/);
  mindts(app, ...train, 'out');
  t.ok(existsSync(join(app, 'out', 'history.json')));
});

t.test('without a prebuilt library its install script builds one', async (t) => {
  const here = join(folder, 'from-source');
  cpSync(app, here, { recursive: true });
  rmSync(join(here, 'node_modules/mindts/native/prebuilt'), { recursive: true });
  succeed('npm', ['rebuild', '--foreground-scripts', 'mindts'], { cwd: here });
  t.match(mindts(here, 'doctor'), /native +.*native.build.mindts/);
});

t.test(
  'with neither library nor compiler it installs, trains on the reference engine, and says what to do',
  async (t) => {
    const here = join(folder, 'bare');
    cpSync(app, here, { recursive: true });
    rmSync(join(here, 'node_modules/mindts/native/prebuilt'), { recursive: true });
    const bare = { cwd: here, env: { ...env, PATH: pathWithoutCompilers(join(folder, 'bin')), CXX: '' } };
    const rebuilt = run('npm', ['rebuild', '--foreground-scripts', 'mindts'], bare);
    t.equal(rebuilt.status, 0);
    t.match(rebuilt.stderr, 'no C++ compiler');

    const command = join(here, 'node_modules', '.bin', 'mindts');
    const doctor = run(command, ['doctor'], bare);
    t.equal(doctor.status, 1);
    t.match(doctor.stderr, /not built for .*install a C\+\+ compiler.*npm rebuild mindts/);
    const trained = run(command, [...train, 'out'], bare);
    t.equal(trained.status, 0, trained.stderr);
    t.match(trained.stderr, /reference engine is used/);
    t.ok(readdirSync(join(here, 'out')).some((name) => name.endsWith('.ckpt')));
  },
);
