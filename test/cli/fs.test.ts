/** `mindts fs`, as a person runs it. */

import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, openSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { objectStore } from '../storage/grounds.js';
import { COMMAND, type Ended, run, start } from './command.js';

/** A folder to work in, and `mindts fs` run there. */
function ground(
  t: Test,
  files = {},
): { folder: string; fs: (args: string, input?: string | Buffer) => Promise<Ended> } {
  const folder = t.testdir(files);
  const fs = (args: string, input: string | Buffer = ''): Promise<Ended> =>
    run(['fs', ...args.split(' ')], { cache: join(folder, 'cache'), cwd: folder, input, env: storeEnv() });
  return { folder, fs };
}

function storeEnv(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => name.startsWith('OSS_')));
}

test('bytes that are written from stdin are read to stdout, byte for byte', async (t) => {
  const { folder, fs } = ground(t);
  const data = randomBytes(300_000);
  t.match(await fs('write new/a.bin', data), { code: 0, stdout: '', stderr: '' });
  t.ok(readFileSync(join(folder, 'new/a.bin')).equals(data));
  t.same(spawnSync(process.execPath, [COMMAND, 'fs', 'read', 'new/a.bin'], { cwd: folder }).stdout, data);
  await fs('write note one');
  await fs('append note -- -two');
  await fs('append note', '\n');
  t.match(await fs('cat note note'), { code: 0, stdout: 'one-two\none-two\n' });
});

test('exists and is_directory print true or false, and exit with 0 or 1', async (t) => {
  const { fs } = ground(t, { f: '', d: {} });
  t.match(await fs('exists f'), { code: 0, stdout: 'true\n', stderr: '' });
  t.match(await fs('exists no'), { code: 1, stdout: 'false\n', stderr: '' });
  t.match(await fs('is_directory d'), { code: 0, stdout: 'true\n' });
  t.match(await fs('is_directory f'), { code: 1, stdout: 'false\n' });
});

test('names are listed one a line, folders with a slash; as JSON with what is known of them', async (t) => {
  const { fs } = ground(t, { d: { a: 'xy', e: { f: '' } } });
  t.match(await fs('ls d'), { code: 0, stdout: 'a\ne/\n' });
  t.match(await fs('list d --recursive'), { stdout: 'a\ne/\ne/f\n' });
  t.match(await fs('ls -r d'), { stdout: 'a\ne/\ne/f\n' });
  const [a, e] = (await fs('list d --json')).stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  t.match(a, { name: 'a', kind: 'file', size: 2, modified: /^20\d\d-.*Z$/ });
  t.match(e, { name: 'e', kind: 'folder' });
  t.match(JSON.parse((await fs('stat --json d/a')).stdout), { url: 'd/a', kind: 'file', size: 2 });
  t.match(await fs('stat d/a d'), { stdout: /^d\/a: file, 2 bytes, 20.*\nd: folder, 20.*\n$/ });
  t.match(await fs('glob d/**/?'), { stdout: 'd/a\nd/e/\nd/e/f\n' });
  t.match(await fs('walk d'), { stdout: 'd/\n  e/\n  a\nd/e/\n  f\n' });
  t.match(await fs('du d'), { stdout: '2\n' });
});

test('a copy says what it copied, and what was there already', async (t) => {
  const { folder, fs } = ground(t, { from: { a: 'xy', d: { b: 'z' } }, list: 'a\n', windows: 'd/b\r\n' });
  t.match(await fs('cp from to'), { code: 1, stdout: '', stderr: /from is a folder: .*copy_parallel.*--recursive/ });
  t.notOk(existsSync(join(folder, 'to')));
  t.match(await fs('copy_parallel from to --file_list list'), { code: 0, stdout: /^copied 1 file, 2 bytes in / });
  t.match(await fs('copy_parallel from to'), { stdout: /^copied 1 file \(1 there already\), 1 byte in / });
  t.match(await fs('copy_parallel from to --overwrite --concurrency 1'), { stdout: /^copied 2 files, 3 bytes in / });
  t.match(await fs('cp -r from again'), { stdout: /^copied 2 files, / });
  t.match(await fs('cp from/a b'), { stdout: /^copied 1 file, 2 bytes in / });
  t.match(await fs('copy_parallel from other --file_list windows'), { stdout: /^copied 1 file, 1 byte/ });
  t.match(await fs('copy_parallel from to --file_list no'), { code: 2, stderr: /--file_list no: no such file/ });
});

test('what is moved, removed and made is said by exit codes alone', async (t) => {
  const { folder, fs } = ground(t, { d: { a: '' }, f: '', g: '' });
  for (const args of ['mkdir x/y', 'mv d x/y/z', 'rm f g', 'remove --recursive x/y/z']) {
    t.match(await fs(args), { code: 0, stdout: '', stderr: '' }, args);
  }
  t.same(readdirSync(folder, { recursive: true }).sort(), ['x', 'x/y']);
});

test('a mistake is one line, names the URL, and removes nothing', async (t) => {
  const { folder, fs } = ground(t, { d: { a: '' }, f: 'kept' });
  await objectStore();
  const wrong: readonly (readonly [string, number, RegExp])[] = [
    ['rm no', 1, /no does not exist/],
    ['rm d', 1, /d is a folder: .*--recursive/],
    ['rm f --dry_run', 2, /not known here: --dry_run/],
    ['rm --recusive d', 2, /did you mean --recursive/],
    ['rm', 2, /usage: mindts fs remove URL/],
    ['cp f', 2, /usage: mindts fs copy FROM TO/],
    ['ls f', 1, /f is a file/],
    ['ls no', 1, /no: no such file or folder/],
    ['cat d', 1, /d: it is a folder/],
    ['cat f/x', 1, /f\/x/],
    ['mkdir f', 1, /f is a file/],
    ['mv d d/x', 1, /d cannot be renamed to d\/x/],
    ['cp f d', 1, /d is a folder: name the file in it, d\/f/],
    ['copy_parallel d d/x', 1, /d cannot be copied into itself/],
    ['cp f gopher://x/y', 1, /no store for gopher:\/\/.*: use file:\/\/, .*oss:\/\//],
    [`write ${'n'.repeat(300)} x`, 1, /the name is too long/],
    ['write /proc/no/where x', 1, /cannot write \/proc\/no\/where/],
    ['cp f oss://nowhere/f', 1, /oss:\/\/nowhere\/f: NoSuchBucket.*127\.0\.0\.1/],
    ['ls oss://nowhere', 1, /oss:\/\/nowhere\/: NoSuchBucket/],
    ['rm -r oss://training', 1, /whole bucket/],
    ['cat oss://training/no', 1, /oss:\/\/training\/no/],
    ['write oss:// x', 1, /oss:\/\/ is a folder/],
    ['copy_parallel oss://training/no d', 1, /oss:\/\/training\/no does not exist/],
    ['cp f http://127.0.0.1:1/f', 1, /127\.0\.0\.1:1\/f is on a web server, which is only read from/],
    ['mv http://127.0.0.1:1/f g', 1, /only read from/],
    ['rm https://127.0.0.1:1/f', 1, /only read from/],
    ['ls http://127.0.0.1:1/f', 1, /cannot be listed/],
    ['frobnicate', 2, /no command frobnicate; there are copy, /],
  ];
  for (const [args, code, message] of wrong) {
    const ended = await fs(args, 'x');
    t.match(ended, { code, stdout: '', stderr: message }, args);
    t.equal(ended.stderr.trim().split('\n').length, 1, `${args}: one line\n${ended.stderr}`);
    t.notMatch(ended.stderr, /fault of mindts/, args);
  }
  t.equal(readFileSync(join(folder, 'f'), 'utf8'), 'kept');
  t.same(readdirSync(join(folder, 'd')), ['a']);
});

test('wrong keys are said to be wrong, and are not shown', async (t) => {
  const { folder } = ground(t);
  await objectStore();
  const env = { ...storeEnv(), OSS_ACCESS_KEY_SECRET: 'not-the-secret' };
  const ended = await run(['fs', 'ls', 'oss://training'], { cache: folder, env });
  t.match(ended, { code: 1, stderr: /oss:\/\/training.*SignatureDoesNotMatch.*check the secret key/ });
  t.notMatch(ended.stderr, 'not-the-secret');
  const without = await run(['fs', 'ls', 'oss://training'], { cache: folder, env: { HOME: folder, OSS_REGION: 'x' } });
  t.match(without, { code: 1, stderr: /no keys for OSS: set OSS_ACCESS_KEY_ID and OSS_ACCESS_KEY_SECRET/ });
});

test('a full stdout is an error; a reader that went away is not', async (t) => {
  const { folder } = ground(t, { big: 'y\n'.repeat(2_000_000) });
  const full = spawnSync(process.execPath, [COMMAND, 'fs', 'cat', 'big'], {
    cwd: folder,
    stdio: ['ignore', openSync('/dev/full', 'w'), 'pipe'],
    encoding: 'utf8',
  });
  t.match(full, { status: 1, stderr: /cannot write to stdout: no space left on the device/ });
  const { child, ended } = start(['fs', 'cat', join(folder, 'big')], { cache: folder });
  await once(child.stdout ?? child, 'data');
  child.stdout?.destroy();
  t.match(await ended, { code: 0, stderr: '' });
});

test('a listing comes as it is read: one that nobody reads to its end is not fetched to its end', async (t) => {
  const server = await objectStore();
  const { folder } = ground(t);
  const bucket = server.buckets.get('training');
  await run(['fs', 'write', 'oss://training/many/0', 'x'], { cache: folder, env: storeEnv() });
  const object = bucket?.objects.get('many/0');
  if (bucket === undefined || object === undefined) return t.fail('there is no object');
  for (let i = 0; i < 60_000; i++) {
    const key = `many/${String(i).padStart(8, '0')}`;
    bucket.objects.set(key, { ...object, key });
  }
  const before = server.asked.length;
  const { child, ended } = start(['fs', 'ls', 'oss://training/many'], { cache: folder, env: storeEnv() });
  await once(child.stdout ?? child, 'data');
  child.stdout?.destroy();
  t.match(await ended, { code: 0, stderr: '' });
  t.ok(server.asked.length - before < 45, `${server.asked.length - before} of 61 pages were asked for`);
  for (const key of bucket.objects.keys()) if (key.startsWith('many/')) bucket.objects.delete(key);
});

test('a folder whose move was killed at any request is whole after the same call again', async (t) => {
  const server = await objectStore();
  const { folder } = ground(t);
  const content: Record<string, string> = { a: '1', 'd/b': '22', 'd/c': '333' };
  const { now } = server;
  t.teardown(() => {
    server.now = now;
  });
  const move = async (name: string, requests: number): Promise<number> => {
    mkdirSync(join(folder, name, 'd'), { recursive: true });
    for (const [file, text] of Object.entries(content)) writeFileSync(join(folder, name, file), text);
    const before = server.asked.length;
    const args = ['fs', 'mv', join(folder, name), `oss://training/${name}`];
    const { child, ended } = start(args, { cache: folder, env: storeEnv() });
    server.now = () => {
      if (server.asked.length - before >= requests) child.kill('SIGKILL');
      return now();
    };
    const first = await ended;
    server.now = now;
    const asked = server.asked.length - before;
    if (first.code !== 0) {
      t.equal(first.code, 'SIGKILL');
      t.match(await run(args, { cache: folder, env: storeEnv() }), { code: 0 }, `killed at ${requests}`);
    }
    t.notOk(existsSync(join(folder, name)));
    const objects = server.buckets.get('training')?.objects ?? new Map();
    const there = [...objects.keys()].filter((key: string) => key.startsWith(`${name}/`)).sort();
    t.same(
      there,
      Object.keys(content).map((file) => `${name}/${file}`),
    );
    for (const [file, text] of Object.entries(content)) {
      t.equal(String(objects.get(`${name}/${file}`)?.data), text);
    }
    return asked;
  };
  const whole = await move('whole', Number.POSITIVE_INFINITY);
  for (let requests = 0; requests < whole; requests += 3) await move(`killed${requests}`, requests);
});

test('a link is removed, not what it leads to', async (t) => {
  const { folder, fs } = ground(t, { far: { kept: '' } });
  symlinkSync('far', join(folder, 'link'));
  t.match(await fs('rm -r link/'), { code: 0 });
  t.same(readdirSync(folder, { recursive: true }).sort(), ['far', 'far/kept']);
});

test('the help says how a URL looks, where keys come from, and what may be left short', async (t) => {
  const { fs } = ground(t);
  t.match(await fs('--help'), { code: 0, stdout: /copy_parallel s3:\/\/.*\nKeys .*environment.*docs\/storage\.md/ });
  t.match(await fs('is_directory --help'), { stdout: /^print true for a folder/ });
  t.match(await fs('cp --help'), { stdout: /-r[^]*Examples:\n.*s3:\/\// });
});
