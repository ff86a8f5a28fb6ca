import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { type DeviceTarget, selectEngine } from '../../sdk/engine/select.js';

/** The engine for a target, and the lines that were said about it. */
async function selected(t: Test, target?: DeviceTarget): Promise<{ name: string; said: string[] }> {
  const written = t.capture(process.stderr, 'write', () => true);
  const { name } = await selectEngine(target === undefined ? {} : { target });
  return { name, said: written().map(({ args }) => String(args[0])) };
}

function setEnvironment(t: Test, changes: NodeJS.ProcessEnv): void {
  t.intercept(process, 'env', { value: { ...process.env, ...changes } });
}

const ABSENT = /^mindts: the native engine (is|cannot) .* Until then the reference engine is used: .* slower\n$/;
const ASCEND = /^mindts: there is no Ascend engine yet: .*CPUs.*\n$/;

// A library is loaded once in a process, so that those without come first.

test('without the native engine CPU means the reference engine, with one warning that says why and what to do', async (t) => {
  for (const MINDTS_NATIVE of ['off', join(t.testdir(), 'none.so'), join(import.meta.dirname, 'select.test.ts')]) {
    setEnvironment(t, { MINDTS_NATIVE });
    const { name, said } = await selected(t, 'CPU');
    t.equal(name, 'reference');
    t.match(said, [ABSENT]);
    t.equal(said.length, 1);
  }
});

test('without the native engine Ascend gives both warnings', async (t) => {
  setEnvironment(t, { MINDTS_NATIVE: 'off' });
  const { name, said } = await selected(t, 'Ascend');
  t.equal(name, 'reference');
  t.match(said, [ASCEND, ABSENT]);
});

test('GPU without TensorFlow.js is an error that says what to install', async (t) => {
  await t.rejects(selectEngine({ target: 'GPU' }), {
    name: 'EngineError',
    code: 'E_DEVICE',
    message:
      /--device_target GPU needs TensorFlow\.js, .*npm install @tensorflow\/tfjs-node-gpu.*CUDA.*--device_target CPU/,
  });
});

test('CPU, which is the default, means the native engine and says nothing', async (t) => {
  t.same(await selected(t), { name: 'native', said: [] });
  t.same(await selected(t, 'CPU'), { name: 'native', said: [] });
});

test('Ascend means the CPUs of this machine, with one warning', async (t) => {
  const { name, said } = await selected(t, 'Ascend');
  t.equal(name, 'native');
  t.match(said, [ASCEND]);
  t.equal(said.length, 1);
});

test('threads are those asked for, or all this process may use', async (t) => {
  t.match((await selectEngine({ threads: 3 })).description, /3 threads/);
  t.match((await selectEngine({ threads: 1 })).description, /1 thread\b/);
  t.match((await selectEngine()).description, `${availableParallelism()} thread`);
});

test('an instruction set that this machine lacks is an error, not a reason to be slow', async (t) => {
  setEnvironment(t, { MINDTS_INSTRUCTION_SET: 'mmx' });
  await t.rejects(selectEngine(), { code: 'E_INSTRUCTION_SET', message: /cannot run mmx; it can run / });
});
