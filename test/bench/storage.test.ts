import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'tap';
import { type Command, find, measured, start, tellsMemory } from '../../bench/storage/child.js';
import { census, writeTree, writeZip } from '../../bench/storage/content.js';
import { onDisk } from '../../bench/storage/local.js';
import { type Race, run } from '../../bench/storage/race.js';
import { startRelay } from '../../bench/storage/relay.js';
import { unzip } from '../../sdk/archive/unzip.js';

const tree = { files: 3, size: 100_000 };

test('a seed gives the same files again, and another seed others', async (t) => {
  const folder = t.testdir({});
  const said = await writeTree(join(folder, 'a'), tree, 'one');
  t.match(said, /^3 files, 300000 bytes, SHA-256 [0-9a-f]{64}$/);
  t.equal(await writeTree(join(folder, 'b'), tree, 'one'), said);
  t.not(await writeTree(join(folder, 'c'), tree, 'two'), said);
});

test('a zip says of itself what its files say when they are unpacked', async (t) => {
  const folder = t.testdir({});
  const said = await writeZip(join(folder, 'a.zip'), tree, 'one');
  await unzip(join(folder, 'a.zip'), join(folder, 'out'));
  t.equal(await census(join(folder, 'out')), said);
});

function node(script: string, ...args: readonly string[]): Command {
  return { program: process.execPath, args: ['-e', script, ...args] };
}

test('the memory of a command is its own, not that of who started it', { skip: !tellsMemory }, async (t) => {
  const small = await measured({ program: find('true') ?? 'true', args: [] });
  const large = await measured(node('Buffer.alloc(2 ** 28, 1)'));
  t.ok((small.peak ?? 0) > 0 && (small.peak ?? 0) < 20e6, `true took ${small.peak}`);
  t.ok((large.peak ?? 0) > 2 ** 28, `256 MiB took ${large.peak}`);
});

test('a command that fails is an error with what it said', async (t) => {
  await t.rejects(measured(node('console.error("no such bucket"); process.exit(3)')), /exit code 3: no such bucket/);
});

test('who is killed takes those along that he started', async (t) => {
  const pipe = createServer().listen(join(t.testdir({}), 'pipe'));
  await once(pipe, 'listening');
  const grandchild = `require('net').connect(${JSON.stringify(pipe.address())})`;
  const running = start(
    node(`child_process.spawn(process.execPath, ['-e', process.argv[1]], { stdio: 'inherit' })`, grandchild),
  );
  const [socket] = await once(pipe, 'connection');
  const gone = once(socket.resume(), 'close');
  pipe.close();
  running.kill();
  await t.rejects(running.ended, /exit code null/);
  await gone;
});

/** Copies a tree; the peer does more, as it is told. */
function copying(folder: string, order: string[], theirs?: string): Race {
  const source = join(folder, 'source');
  const copy = (who: string, to: string, more: string): Command => {
    order.push(who);
    return node(`fs.cpSync(process.argv[1], process.argv[2], { recursive: true }); ${more}`, source, to);
  };
  return {
    ...onDisk(join(folder, 'copied')),
    title: 'copying',
    unit: 'files/s',
    amount: tree.files,
    atLeast: 1,
    peer: 'nobody',
    prepare: () => writeTree(source, tree, 'race'),
    ours: (to) => copy('ours', to, ''),
    theirs: (to) => (theirs === undefined ? undefined : copy('theirs', to, theirs)),
  };
}

test('the two take turns in going first, and the medians of both are told', async (t) => {
  const order: string[] = [];
  const { ours, theirs } = await run(copying(t.testdir({}), order, ''), 2);
  t.same(order, ['ours', 'theirs', 'theirs', 'ours']);
  t.ok(ours.seconds > 0);
  t.ok((theirs?.seconds ?? 0) > 0);
});

test('without a peer only ours is measured', async (t) => {
  const order: string[] = [];
  t.equal((await run(copying(t.testdir({}), order), 2)).theirs, undefined);
  t.same(order, ['ours', 'ours']);
});

test('who leaves something else than he should has not run', async (t) => {
  const spoils = 'fs.writeFileSync(process.argv[2] + "/more", "")';
  await t.rejects(run(copying(t.testdir({}), [], spoils), 1), /left 4 files, .* instead of 3 files/);
});

test('a relay counts what is sent, passes on all of both ways, and says when so much was sent', async (t) => {
  const echo = createServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket)).listen(0, '127.0.0.1');
  await once(echo, 'listening');
  t.teardown(() => echo.close());
  const address = echo.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  const relay = await startRelay(`http://127.0.0.1:${port}`);
  let calls = 0;
  relay.when(100_000, () => calls++);
  const socket = connect(Number(new URL(relay.endpoint).port), '127.0.0.1');
  socket.write(Buffer.alloc(99_999));
  while (socket.bytesRead < 99_999) await once(socket, 'data');
  t.equal(calls, 0);
  socket.end(Buffer.alloc(2));
  await once(socket, 'close');
  t.equal(calls, 1);
  t.equal(relay.sent, 100_001);
  t.equal(socket.bytesRead, 100_001);
  await relay.close();
});
