/**
 * boot.py installs the package where the code folder brings its tarball or a package.json. The tarball is npm's own,
 * of a small package of that name, so that no registry is needed; the real one is in package.ci.ts.
 */
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { type Test, test } from 'tap';
import { craftTar } from '../archive/craft-tar.js';
import { type CodeFolder, codeFolder, python, writeFiles } from './boot.js';
import { succeed } from './tarball.js';

const options = { skip: 'missing' in python && python.missing };
const NOTHING = /^$/;
const TARBALL = 'mindts-0.0.1.tgz';
const MANIFEST = { name: 'mindts', version: '0.0.1', exports: './index.cjs' };

/** Adds a tarball of a package whose one script prints its arguments. */
function withTarball(folder: CodeFolder, more: Readonly<Record<string, string>> = {}, scripts = {}): CodeFolder {
  const tree = join(dirname(folder.root), 'tree');
  writeFiles(tree, {
    'package.json': JSON.stringify({ ...MANIFEST, scripts }),
    'index.cjs': 'module.exports = "mindts itself";',
    'dist/scripts/train.js': 'console.log(__dirname, ...process.argv.slice(2));',
    ...more,
  });
  succeed('npm', ['pack', '--pack-destination', folder.root], { cwd: tree });
  rmSync(tree, { recursive: true });
  return folder;
}

/** A tarball whose installation knocks at this process, and goes on when told `go`. */
async function meetInstallers(t: Test) {
  const callers: Socket[] = [];
  let called = (): void => {};
  const server = createServer((socket) => {
    socket.on('error', () => {});
    callers.push(socket);
    called();
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    for (const caller of callers) caller.destroy();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  const knock = `require('node:net').connect(${address.port}, '127.0.0.1')
    .on('data', () => process.exit(0)).on('close', () => process.exit(1)).on('error', () => {});`;
  return {
    folder: withTarball(codeFolder(t), { 'knock.cjs': knock }, { install: 'node knock.cjs' }),
    callers,
    /** Waits for the n-th installer, counted from 1. */
    met: async (n: number): Promise<Socket> => {
      while (callers.length < n) await new Promise<void>((resolve) => (called = resolve));
      return callers[n - 1];
    },
  };
}

/** What lies in the work folder that is no lock and no record. */
const installed = ({ root }: CodeFolder): string[] =>
  readdirSync(join(dirname(root), 'cache', 'boot')).filter((name) => !/\.(lock|log)$/.test(name));

test('ranks that start at once install the tarball once, and leave the code folder as it is', options, async (t) => {
  const { folder, callers, met } = await meetInstallers(t);
  const before = readdirSync(folder.root);
  const ranks = [0, 1, 2].map((rank) => folder.boot([`--rank=${rank}`], { RANK_ID: String(rank) }));
  const first = await met(1);
  // One installs; the others have seen that, and wait.
  const seen = ranks.map((rank) =>
    rank.seen(/(installing|waiting for another process that installs) .*mindts-0\.0\.1\.tgz/),
  );
  await Promise.all(seen);
  first.write('go');
  const ended = await Promise.all(ranks.map((rank) => rank.ended));
  for (const [rank, { code, stdout }] of ended.entries()) {
    t.equal(code, 0);
    t.match(stdout, new RegExp(`node_modules/mindts/dist/scripts --rank=${rank}\n$`));
  }
  t.equal(ended.filter(({ stderr }) => stderr.includes('waiting')).length, 2);
  t.match(ended[2].stderr, /^mindts: rank 2: (installing|waiting)/);
  t.equal(callers.length, 1);
  t.same(readdirSync(folder.root), before);
  t.match(await folder.boot([]).ended, { code: 0, stderr: NOTHING }, 'later runs find it there');
  t.equal(callers.length, 1);
});

test('a killed installer holds nobody up, and what it left is not taken for the package', options, async (t) => {
  const { folder, met } = await meetInstallers(t);
  const killed = folder.boot([]);
  const orphan = await met(1);
  const next = folder.boot(['--next']);
  await next.seen(/waiting for another process/);
  killed.child.kill('SIGKILL');
  const second = await met(2);
  orphan.write('go');
  second.write('go');
  t.match(await next.ended, { code: 0, stdout: /--next\n$/, stderr: /waiting.*\n.*installing/ });
  t.equal((await killed.ended).code, 'SIGKILL');
  const whole = installed(folder).filter((name) => !name.includes('.part-'));
  t.equal(whole.length, 1);
});

test('a signal while it installs ends npm too, and leaves nothing half done', options, async (t) => {
  const { folder, met } = await meetInstallers(t);
  const interrupted = folder.boot([]);
  const installer = await met(1);
  const gone = new Promise((resolve) => void installer.on('close', resolve).resume());
  interrupted.child.kill('SIGTERM');
  t.match(await interrupted.ended, { code: 143, stderr: /^mindts: installing .*\n$/ });
  await gone;
  t.same(installed(folder), []);
});

test('signals that come twice, as to a process and to its group, end it like one', options, async (t) => {
  const { folder, met } = await meetInstallers(t);
  for (let n = 1; n <= 8; n++) {
    const interrupted = folder.boot([]);
    await met(n);
    // So that both have come when it looks.
    if (n % 2 === 0) interrupted.child.kill('SIGSTOP');
    interrupted.child.kill('SIGTERM');
    interrupted.child.kill('SIGINT');
    interrupted.child.kill('SIGCONT');
    const { code, stderr } = await interrupted.ended;
    t.ok(code === 143 || code === 130, `${code}`);
    t.match(stderr, /^mindts: installing .*\n$/);
    t.same(installed(folder), []);
  }
});

test('an installation that fails says why in one line; the next run tries again', options, async (t) => {
  const { folder, met } = await meetInstallers(t);
  const failing = folder.boot([]);
  (await met(1)).destroy();
  const { code, stderr } = await failing.ended;
  t.equal(code, 1);
  const [, line, ...rest] = stderr.split('\n');
  t.match(
    line,
    /^mindts: cannot install .*mindts-0\.0\.1\.tgz: npm error .*\(exit code 1; all it said is in (.*\.log)\); .*docs\/openi\.md/,
  );
  t.same(rest, ['']);
  t.ok(existsSync(/said is in (.*\.log)/.exec(line)?.[1] ?? ''));
  t.same(installed(folder), []);
  const next = folder.boot([]);
  (await met(2)).write('go');
  t.match(await next.ended, { code: 0 });
});

test(
  "scripts of the folder's own find the package of the tarball, with a package.json and without",
  options,
  async (t) => {
    const mine = { 'jobs/mine.mjs': `import mindts from 'mindts'; console.log(mindts, process.argv.at(-1));` };
    for (const manifest of [
      {},
      { 'package.json': '{ "type": "module" }' },
      { 'package.json': `{ "dependencies": { "mindts": "file:${TARBALL}" } }` },
    ]) {
      const folder = withTarball(codeFolder(t, { ...mine, ...manifest }));
      t.match(await folder.boot(['--script=jobs/mine.mjs', '--last']).ended, {
        code: 0,
        stdout: 'mindts itself --last\n',
      });
      t.notOk(existsSync(join(folder.root, 'node_modules')));
    }
  },
);

test('a tarball that brings its dependencies along needs neither npm nor a network', options, async (t) => {
  const dependency = join('node_modules', 'dependency');
  const folder = withTarball(codeFolder(t), {
    'package.json': JSON.stringify({ ...MANIFEST, dependencies: { dependency: '1.0.0' }, bundleDependencies: true }),
    [join(dependency, 'package.json')]: '{ "name": "dependency", "version": "1.0.0" }',
    [join(dependency, 'index.js')]: 'module.exports = "brought along";',
    'dist/scripts/train.js': 'console.log(require("dependency"));',
    'native/build.mjs': 'console.log("built", ...process.argv.slice(2));',
  });
  // A Node without npm, and a PATH without one.
  const node = join(folder.root, 'bare', 'bin', 'node');
  writeFiles(folder.root, { 'bare/bin/node': `#!/bin/sh\nexec '${process.execPath}' "$@"\n` });
  const ended = await folder.boot([`--node=${node}`], { PATH: '/nowhere' }).ended;
  t.match(ended, { code: 0, stdout: 'brought along\n', stderr: /^mindts: installing .*\n$/ });
  const records = join(dirname(folder.root), 'cache', 'boot');
  const record = readdirSync(records).find((name) => name.endsWith('.log')) ?? 'none';
  t.equal(readFileSync(join(records, record), 'utf8'), 'built --install\n', 'its native library is built as npm would');
});

test('a tarball cannot write outside its folder, and one that is cut off is refused', options, async (t) => {
  const data = Buffer.from('here');
  const tar = craftTar([
    { name: 'package/node_modules/dependency/index.js', data },
    { name: 'package/../../escaped', data },
  ]);
  for (const [content, refused] of [
    [gzipSync(tar), /\/escaped would lie outside of it\n$/],
    [gzipSync(tar).subarray(0, -20), /is no tarball that npm pack made: .*\n$/],
    // Within the first file.
    [tar.subarray(0, 514), /is no tarball that npm pack made: .*\n$/],
  ] as const) {
    const folder = codeFolder(t);
    writeFileSync(join(folder.root, TARBALL), content);
    const { code, stderr } = await folder.boot([]).ended;
    t.equal(code, 1);
    t.match(stderr, refused);
    t.same(installed(folder), []);
  }
});

test('two tarballs, a file that is none, and a work folder that cannot be written are refused', options, async (t) => {
  const folder = withTarball(codeFolder(t));
  const blocked = join(folder.root, TARBALL);
  const unwritable = await folder.boot([], { MINDTS_CACHE: blocked }).ended;
  t.match(unwritable, {
    code: 1,
    stderr: /^mindts: cannot install .*: Not a directory; MINDTS_CACHE names another work folder\n$/,
  });
  writeFiles(folder.root, { 'mindts-0.0.2.tgz': 'none' });
  const two = await folder.boot([]).ended;
  t.match(two, { code: 1, stderr: /^mindts: .* holds mindts-0\.0\.1\.tgz and mindts-0\.0\.2\.tgz: leave one\n$/ });
  rmSync(join(folder.root, TARBALL));
  const none = await folder.boot([]).ended;
  t.match(none, { code: 1, stderr: /\nmindts: .*mindts-0\.0\.2\.tgz is no tarball that npm pack made: .*\n$/ });
});
