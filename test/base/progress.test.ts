import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { pathToFileURL } from 'node:url';
import { test } from 'tap';
import { type Progress, startProgress, type Task } from '../../sdk/base/progress.js';

const folder = pathToFileURL(join(import.meta.dirname, '../../sdk/base/')).href;

/** A task that reports to a pipe, under a clock that stands until it is set. */
function onPipe(task: Task): { progress: Progress; at: (seconds: number) => Progress; lines: () => string[] } {
  let time = 5_000;
  const stream = new PassThrough({ encoding: 'utf8' });
  const progress = startProgress(task, { stream, now: () => time });
  return {
    progress,
    at(seconds) {
      time = 5_000 + seconds * 1000;
      return progress;
    },
    lines: () =>
      String(stream.read() ?? '')
        .split('\n')
        .slice(0, -1),
  };
}

test('without a terminal a line comes at most every ten seconds', async (t) => {
  const { at, lines } = onPipe({ label: 'training', total: 1000, unit: 'steps' });
  for (let tenth = 1; tenth <= 250; tenth++) at(tenth / 10).update(tenth, `loss ${tenth / 100}`);
  at(100).done('loss 0.1');
  t.strictSame(lines(), [
    'training: 1% 10/1000 steps, 1 min 39 s left, loss 0.1',
    'training: 11% 110/1000 steps, 1 min 29 s left, loss 1.1',
    'training: 21% 210/1000 steps, 1 min 19 s left, loss 2.1',
    'training: 1000 steps in 1 min 40 s, loss 0.1',
  ]);
});

test('who knows better how long it takes yet says so; else it is as many units in a second as so far', async (t) => {
  const { at, lines } = onPipe({ label: 'pruning', total: 100, unit: 'steps' });
  at(5).update(0, 'searching', 30);
  at(20).update(20, 'training', 5);
  at(40).update(40);
  t.strictSame(lines(), [
    'pruning: 0% 0/100 steps, 30 s left, searching',
    'pruning: 20% 20/100 steps, 5.0 s left, training',
    'pruning: 40% 40/100 steps, 1 min 0 s left',
  ]);
});

test('what ends within a second leaves no trace', async (t) => {
  for (const end of ['done', 'fail'] as const) {
    const { at, lines } = onPipe({ label: 'copying', total: 2, unit: 'files' });
    at(0.5).update(1);
    at(0.9)[end]();
    t.strictSame(lines(), []);
  }
});

test('a task whose total is not known counts, and bytes are shown in their multiples', async (t) => {
  const { at, lines } = onPipe({ label: 'copying MNISTData.zip', unit: 'bytes' });
  at(2).update(11_594_722);
  at(12).update(999);
  at(22).update(1e13);
  at(7500).done();
  t.strictSame(lines(), [
    'copying MNISTData.zip: 11.6 MB, 2.0 s',
    'copying MNISTData.zip: 999 bytes, 12 s',
    'copying MNISTData.zip: 10.0 TB, 22 s',
    'copying MNISTData.zip: 10.0 TB in 2 h 5 min',
  ]);
});

test('a task that fails says how far it had come, and nothing is shown after its end', async (t) => {
  const { at, lines } = onPipe({ label: 'copying', total: 4000, unit: 'bytes' });
  at(0.5).update(1000);
  at(3).fail();
  at(50).update(2000);
  at(60).done();
  t.strictSame(lines(), ['copying: stopped after 3.0 s, at 25% 1.0 kB/4.0 kB']);
});

test('nothing to do is all done, and more than all is no more than all', async (t) => {
  const none = onPipe({ label: 'copying', total: 0, unit: 'files' });
  none.at(2).update(0);
  t.strictSame(none.lines(), ['copying: 100% 0/0 files, 2.0 s']);
  const more = onPipe({ label: 'copying', total: 2, unit: 'files' });
  more.at(2).update(3);
  t.strictSame(more.lines(), ['copying: 100% 3/2 files, 0.0 s left']);
});

test('names from archives cannot move the cursor', async (t) => {
  const { at, lines } = onPipe({ label: 'unpacking \u001B[2Ja\r\nb', unit: 'files' });
  at(2).update(1, 'c\u0007d');
  t.strictSame(lines(), ['unpacking  [2Ja b: 1 file, 2.0 s, c d']);
});

test('other ranks than the first show nothing', async (t) => {
  t.intercept(process, 'env', { value: { ...process.env, RANK_ID: '1', RANK_SIZE: '2' } });
  const { at, lines } = onPipe({ label: 'training', unit: 'steps' });
  at(20).update(1);
  at(30).done();
  t.strictSame(lines(), []);
});

/** What a terminal is sent to clear a line: go to its first column, erase all of it. */
const ERASE = '\u001B[1G\u001B[2K';
const noTerminal = spawnSync('script', ['--version']).status === 0 ? false : 'script(1) is not installed';

/** What a terminal is sent while a script with `log` and `startProgress` runs on it. */
function onTerminal(dir: string, env: NodeJS.ProcessEnv = {}, columns = 80): string {
  const node = [process.execPath, ...process.execArgv, join(dir, 'run.mjs')].map((word) => `'${word}'`).join(' ');
  const { stdout, status } = spawnSync('script', ['-qec', `stty cols ${columns}; ${node}`, '/dev/null'], {
    encoding: 'utf8',
    env: { ...process.env, TERM: 'xterm', CI: undefined, RANK_ID: '', ...env },
  });
  if (status !== 0) throw new Error(`the script failed: ${stdout}`);
  return stdout;
}
const script = (body: string): { 'run.mjs': string } => ({
  'run.mjs': `
    import { log } from ${JSON.stringify(`${folder}log.ts`)};
    import { startProgress } from ${JSON.stringify(`${folder}progress.ts`)};
    let time = 0;
    const now = () => time;
    /** Resolves when something that matches is drawn. */
    const drawn = (what) => new Promise((resolve) => {
      const write = process.stderr.write.bind(process.stderr);
      process.stderr.write = (text, ...rest) => {
        if (what.test(text)) setImmediate(resolve);
        return write(text, ...rest);
      };
    });
    ${body}`,
});

test('on a terminal the time that somebody said is left is counted down until it is said anew', {
  skip: noTerminal,
}, async (t) => {
  const dir = t.testdir(
    script(`
      // What is drawn does not keep the process alive.
      const alive = setInterval(() => {}, 1000);
      const progress = startProgress({ label: 'pruning', total: 4, unit: 'steps' }, { now });
      progress.update(1, 'searching', 30);
      await drawn(/30 s left/);
      time = 12_000;
      await drawn(/18 s left/);
      time = 50_000;
      await drawn(/0.0 s left/);
      progress.update(1, 'searching', 20);
      await drawn(/20 s left/);
      progress.done();
      clearInterval(alive);`),
  );
  t.match(onTerminal(dir), / 0\.0 s left, searching.* 20 s left, searching/s);
});

test('on a terminal a bar is drawn in one line, and log lines stand above it', { skip: noTerminal }, async (t) => {
  const dir = t.testdir(
    script(`
      const progress = startProgress({ label: '训练 '.repeat(20), total: 4, unit: 'steps' }, { now });
      const shown = drawn(/训练/);
      await shown;
      log.info('above');
      progress.done();
      const second = startProgress({ label: 'copying', total: 4, unit: 'files' }, { now });
      time = 1500;
      second.update(1, 'a.zip');
      const bar = drawn(/25%/);
      await bar;
      second.done();`),
  );
  const sent = onTerminal(dir);
  t.match(sent, `${ERASE}above\r\n`, 'the line is erased for the log');
  t.match(sent, 'copying [======------------------] 25% 1/4 files, 4.5 s left, a.zip');
  t.ok(sent.endsWith(`${ERASE}copying: 4 files in 1.5 s\r\n`));
  for (const code of ['\u001B[?25l', '\u001B7', '\u001B[?7l']) {
    t.notMatch(sent, code, 'the cursor is neither hidden nor saved, and wrapping stays on');
  }
  const short = '训练 训练 训练 …训练 训练 训练 ';
  t.match(
    sent,
    `${short} [------------------------] 0% 0/4 steps, 0.0 s`,
    'of a label that is too long the middle is left out',
  );
});

test('on a narrow terminal the numbers stay, and the bar goes', { skip: noTerminal }, async (t) => {
  const dir = t.testdir(
    script(`
      const progress = startProgress({ label: 'copying s3://bucket/a/long/way/down/a.zip', total: 4, unit: 'steps' }, { now });
      await drawn(/0\\/4 steps/);
      progress.clear();`),
  );
  t.match(onTerminal(dir, {}, 45), '\u001B[1Gcopying s3:/…/down/a.zip 0% 0/4 steps, 0.0 s\u001B[0K');
});

test('on a terminal a spinner turns when the total is not known', { skip: noTerminal }, async (t) => {
  const dir = t.testdir(
    script(`
      const progress = startProgress({ label: 'listing', unit: 'files' }, { now });
      progress.update(7);
      await drawn(/listing 7 files/);
      progress.fail();`),
  );
  const sent = onTerminal(dir);
  t.match(sent, /. listing 7 files, 0\.0 s/u);
  t.ok(sent.endsWith(ERASE), 'and is gone when it ends');
});

test('a second task beside one that is drawn uses plain lines', { skip: noTerminal }, async (t) => {
  const dir = t.testdir(
    script(`
      const first = startProgress({ label: 'first', total: 4, unit: 'files' }, { now });
      await drawn(/first/);
      const second = startProgress({ label: 'second', total: 4, unit: 'files' }, { now });
      time = 2000;
      second.update(1);
      first.done();`),
  );
  t.match(onTerminal(dir), `${ERASE}second: 25% 1/4 files, 6.0 s left\r\n`);
});

test('a terminal that cannot draw, or one of a build server, gets plain lines', { skip: noTerminal }, async (t) => {
  const dir = t.testdir(
    script(`
      const progress = startProgress({ label: 'copying', unit: 'files' }, { now });
      time = 2000;
      progress.update(1);
      progress.done();`),
  );
  for (const env of [{ TERM: 'dumb' }, { CI: 'true' }]) {
    t.equal(onTerminal(dir, env), 'copying: 1 file, 2.0 s\r\ncopying: 1 file in 2.0 s\r\n');
  }
});

test('a progress that nobody ends does not keep the process alive', { skip: noTerminal }, async (t) => {
  const dir = t.testdir(
    script(`
      startProgress({ label: 'copying', total: 4, unit: 'files' }, { now });
      await drawn(/copying/);`),
  );
  t.match(onTerminal(dir), 'copying');
});
