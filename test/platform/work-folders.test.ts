import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmdirSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Test, test } from 'tap';
import { packageRoot } from '../../sdk/base/package.js';
import { onPlatform, workFolder } from '../../sdk/platform/work-folders.js';

function setEnvironment(t: Test, changes: NodeJS.ProcessEnv): void {
  t.intercept(process, 'env', { value: { ...process.env, MINDTS_CACHE: '', XDG_CACHE_HOME: '', ...changes } });
}

const isPlatform = onPlatform() && 'this machine is a platform: /cache can be written';

test('MINDTS_CACHE is where work folders lie, on a platform too', async (t) => {
  const cache = t.testdir();
  setEnvironment(t, { MINDTS_CACHE: cache });
  t.notOk(onPlatform());
  t.equal(dirname(workFolder('output', 'out')), join(cache, 'output'));
});

test('else the cache folder of the user', { skip: isPlatform }, async (t) => {
  const folder = t.testdir();
  setEnvironment(t, { XDG_CACHE_HOME: folder });
  t.equal(dirname(workFolder('data', 'x')), join(folder, 'mindts', 'data'));
  setEnvironment(t, {});
  t.equal(dirname(workFolder('data', 'x')), join(homedir(), '.cache', 'mindts', 'data'));
});

test('one subject has one folder, however it is spelled; another has another', async (t) => {
  setEnvironment(t, { MINDTS_CACHE: t.testdir() });
  const same = ['out', './out', 'out/', 'x/../out', join(process.cwd(), 'out')].map((url) => workFolder('output', url));
  t.same(new Set(same).size, 1, same.join('\n'));
  const others = ['out', 'x/out', 's3://bucket/out', 's3://bucket/OUT', 'obs://bucket/out', '', '/'];
  t.equal(new Set(others.map((url) => workFolder('output', url))).size, others.length);
  t.equal(workFolder('output', 's3://bucket/./out'), workFolder('output', 's3://bucket/./out'));
  t.not(workFolder('output', 'out'), workFolder('result', 'out'));
});

test('the name of a folder tells its subject and is one part of a path, whatever the subject is', async (t) => {
  const cache = t.testdir();
  setEnvironment(t, { MINDTS_CACHE: cache });
  for (const [subject, name] of [
    ['data/MNISTData.zip', 'MNISTData.zip'],
    ['s3://bucket/set/', 'set_'],
    ['数据 集.zip', '_.zip'],
    ['builtin:digits', 'builtin_digits'],
    ['..', ''],
    ['https://host/a?x=../../b', 'b'],
    ['a'.repeat(300), 'a'.repeat(40)],
  ]) {
    const folder = workFolder('data', subject);
    t.equal(dirname(folder), join(cache, 'data'), subject);
    t.match(basename(folder), /^[\w.-]+-[0-9a-f]{8}$/, subject);
    t.ok(basename(folder).startsWith(name), `${subject}: ${folder}`);
  }
});

/** A shell command that runs its arguments in a root folder of its own, where all is as here and /cache is besides. */
const WITH_CACHE = `
  mount -t tmpfs tmpfs "$0"
  for path in /*; do
    if [ -L "$path" ]; then cp -P "$path" "$0$path"
    elif [ -d "$path" ]; then mkdir "$0$path" && mount --rbind "$path" "$0$path"; fi
  done
  mkdir "$0/cache"
  exec chroot "$0" "$@"`;

function inContainer(command: readonly string[]): string {
  // Removed by rmdir, which stops at anything that is still in it: this is a way to the whole machine.
  const root = mkdtempSync(join(tmpdir(), 'mindts-root-'));
  try {
    const args = ['--mount', '--propagation', 'private', 'sh', '-ec', WITH_CACHE, root, ...command];
    return execFileSync('unshare', args, { encoding: 'utf8', stdio: 'pipe', env: { PATH: process.env['PATH'] } });
  } finally {
    rmdirSync(root);
  }
}

function whyNoContainer(): string | false {
  if (existsSync('/cache')) return 'there is a /cache here';
  try {
    inContainer(['true']);
    return false;
  } catch {
    return 'no right to a root folder of its own here';
  }
}

test('where /cache can be written, that is the place', { skip: whyNoContainer() }, async (t) => {
  const module = pathToFileURL(join(packageRoot, 'dist/sdk/platform/work-folders.js')).href;
  const script = `
    import { onPlatform, workFolder } from ${JSON.stringify(module)};
    console.log(JSON.stringify([onPlatform(), workFolder('data', 'a'), workFolder('output', 's3://b/c')]));`;
  const said = inContainer([process.execPath, '--input-type=module', '-e', script]);
  t.same(JSON.parse(said), [true, '/cache/data', '/cache/output']);
});
