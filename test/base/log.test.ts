import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import * as fc from 'fast-check';
import { test } from 'tap';
import { redactUrl } from '../../sdk/base/log.js';

const logUrl = pathToFileURL(join(import.meta.dirname, '../../sdk/base/log.ts')).href;

/** Runs a script that has `log` in a process of its own, through a shell command that says `"$@"` for it. */
function run(
  shell: string,
  script: string,
  env: NodeJS.ProcessEnv = {},
): { stdout: string; stderr: string; status: number | null } {
  const code = `import { log } from ${JSON.stringify(logUrl)};\n${script}`;
  const node = [process.execPath, ...process.execArgv, '--input-type=module', '-e', code];
  const clean = { ...process.env, RANK_ID: '', ...env };
  return spawnSync('sh', ['-c', shell, 'sh', ...node], { encoding: 'utf8', env: clean });
}
const sayAll = `log.info('one'); log.warn('two'); log.error('three');`;

test('info goes to stdout, warnings and errors to stderr behind the name of the program', async (t) => {
  t.match(run('"$@"', sayAll), { stdout: 'one\n', stderr: 'mindts: two\nmindts: three\n', status: 0 });
  t.equal(run('"$@"', sayAll, { RANK_ID: '0', RANK_SIZE: '4' }).stdout, 'one\n');
});

test('other ranks than the first keep info to themselves and sign their warnings', async (t) => {
  t.match(run('"$@"', sayAll, { RANK_ID: '3', RANK_SIZE: '4' }), {
    stdout: '',
    stderr: 'mindts: rank 3: two\nmindts: rank 3: three\n',
  });
});

test('a reader that went away does not end the run', async (t) => {
  const { stdout, stderr } = run(
    '{ "$@"; echo "exit $?" >&2; } | head -n 1',
    `for (let i = 0; i < 20000; i++) log.info('line ' + i);
     setImmediate(() => { log.info('more'); log.warn('went on'); });`,
  );
  t.equal(stdout, 'line 0\n');
  t.equal(stderr, 'mindts: went on\nexit 0\n');
});

test('a full disk under the log does not end the run', {
  skip: !existsSync('/dev/full') && 'no /dev/full here',
}, async (t) => {
  const { stderr, status } = run(
    '"$@" > /dev/full',
    `log.info('lost'); setImmediate(() => { log.info('lost'); log.warn('went on'); });`,
  );
  t.match({ stderr, status }, { stderr: 'mindts: went on\n', status: 0 });
});

const noTerminal = spawnSync('script', ['--version']).status === 0 ? false : 'script(1) is not installed';

test('warnings are coloured on a terminal, unless NO_COLOR is set', { skip: noTerminal }, async (t) => {
  // script(1) takes one command as text, so the arguments come to it quoted by the shell.
  const onTerminal = `quoted=; for a; do quoted="$quoted '$(printf %s "$a" | sed "s/'/'\\\\\\\\''/g")'"; done; script -qec "$quoted" /dev/null`;
  // Node sees no colours where CI is set.
  const env = { TERM: 'xterm', CI: undefined, FORCE_COLOR: undefined, NO_COLOR: undefined };
  t.equal(run(onTerminal, `log.warn('two')`, env).stdout, '\u001B[33mmindts: \u001B[0mtwo\r\n');
  t.equal(run(onTerminal, `log.warn('two')`, { ...env, NO_COLOR: '1' }).stdout, 'mindts: two\r\n');
});

test('a URL loses its user, its password and the parameters that grant access', async (t) => {
  for (const [url, redacted] of [
    ['https://me:secret@host:9000/b/k', 'https://host:9000/b/k'],
    ['s3://AKIA:ab/cd+e=@bucket/key@2', 's3://bucket/key@2'],
    ['obs://me@bucket/key', 'obs://bucket/key'],
    ['https://h/k?AWSAccessKeyId=A&Signature=B%2F&Expires=1', 'https://h/k?Expires=1'],
    ['https://h/k?X-Amz-Credential=A&x-amz-signature=B&X-Amz-Date=3', 'https://h/k'],
    ['https://h/k?partNumber=1&x-obs-security-token=B&uploadId=2', 'https://h/k?partNumber=1&uploadId=2'],
    ['https://h/k?OSSAccessKeyId=A&security-token=B#page', 'https://h/k#page'],
    ['https://h/k#access_token=A', 'https://h/k'],
    ['https://h/k?sv=1&sig=A', 'https://h/k?sv=1'],
  ]) {
    t.equal(redactUrl(url), redacted, url);
  }
});

test('a URL without credentials, and anything that is no URL, stays letter for letter', async (t) => {
  for (const url of [
    's3://bucket/a@b/c?versionId=1&x=%2F',
    'obs://数据/手写 数字.zip',
    's3:///bucket/key',
    'http://127.0.0.1:9000/b/k@1',
    'http://[::1]:9000/k',
    'data/train?Signature=x',
    'builtin:digits',
    '',
  ]) {
    t.equal(redactUrl(url), url);
  }
});

test('every URL in a text is redacted', async (t) => {
  const list =
    '[{"dataset_url": "https://a:b@h/x.zip?Signature=S", "dataset_name": "x.zip"}, {"dataset_url": "s3://k:s@b/y"}]';
  t.equal(
    redactUrl(list),
    '[{"dataset_url": "https://h/x.zip", "dataset_name": "x.zip"}, {"dataset_url": "s3://b/y"}]',
  );
});

test('no password survives, whatever it is made of', async (t) => {
  const password = fc.stringMatching(/^[A-Za-z0-9/+=_~.!$*-]{4,40}$/).map((s) => `Zq${s}qZ`);
  fc.assert(
    fc.property(password, fc.constantFrom('s3', 'obs', 'https', 'hdfs'), (secret, scheme) => {
      t.equal(redactUrl(`${scheme}://me:${secret}@host/key?Signature=${secret}&n=1`), `${scheme}://host/key?n=1`);
    }),
  );
});
