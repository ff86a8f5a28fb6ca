import { test } from 'tap';
import { jsonFault } from '../../sdk/args/json-fault.js';
import { seededRandom } from '../../sdk/base/random.js';
import { mutated } from '../checkpoint/mutate.js';

test('the place is the first at which it cannot be JSON, and what is wanted there is said', (t) => {
  const faults: readonly [string, number, string][] = [
    ['', 0, 'a value'],
    ['nul', 0, 'a value'],
    ['[1, 2', 5, ', or ]'],
    ['[1, ]', 4, 'a value'],
    ['[1] x', 4, 'the end'],
    ['{"a" 1}', 5, ':'],
    ['{"a": 1 "b": 2}', 8, ', or }'],
    ['{"a": 1, }', 9, 'a name in double quotes'],
    ["{'a': 1}", 1, 'a name in double quotes or }'],
    ['[s3://b/a]', 1, 'a value or ]'],
    ['{"a": "b\n"}', 6, 'a value'],
  ];
  for (const [text, at, expected] of faults) t.same(jsonFault(text), { at, expected }, text);
  t.end();
});

test('what it takes for JSON is what JSON.parse takes, over thousands of damaged texts', (t) => {
  const random = seededRandom(1, 'json');
  const whole = JSON.stringify(
    [{ name: 'a\\b"\u0007', list: [1.5e-7, -0, true, null, {}, []], '': '数据😀' }],
    null,
    1,
  );
  let [good, bad] = [0, 0];
  for (let i = 0; i < 5000; i++) {
    const text = Buffer.from(mutated(Buffer.from(whole), (n) => Math.floor(random.uniform() * n))).toString();
    let isJson = true;
    try {
      JSON.parse(text);
    } catch {
      isJson = false;
    }
    if (isJson) good++;
    else bad++;
    if ((jsonFault(text) === undefined) !== isJson) t.fail(JSON.stringify(text));
  }
  t.ok(good > 100 && bad > 1000, `${good} of them were JSON, ${bad} were not`);
  t.equal(jsonFault(whole), undefined);
  t.same(jsonFault('['.repeat(200_000)), { at: 200_000, expected: 'a value or ]' }, 'however deep');
  t.end();
});
