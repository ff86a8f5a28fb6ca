import { test } from 'tap';
import { parseOptions } from '../../sdk/args/parse.js';
import { readUrlList, urlList } from '../../sdk/platform/url-list.js';

const LIST = '[{"dataset_url": "s3://b/MNISTData/", "dataset_name": "MNISTData"}]';
const READ = { list: [{ name: 'MNISTData', url: 's3://b/MNISTData/' }] };
const entry = (name: string, url = 's3://b/x') => JSON.stringify([{ dataset_url: url, dataset_name: name }]);

test('a list is read, also with the quotes around it or the escapes that a shell left', (t) => {
  for (const given of [
    LIST,
    ` ${LIST}\n`,
    `'${LIST}'`,
    LIST.replaceAll('"', '\\"'),
    `"${LIST.replaceAll('"', '\\"')}"`,
  ]) {
    t.same(readUrlList(given, 'dataset'), READ, given);
  }
  t.same(readUrlList(JSON.stringify(LIST), 'dataset'), READ, 'JSON in JSON');
  t.same(readUrlList('[{"model_url": " s3:///b/m ", "model_name": "m", "size": 3}]', 'model'), {
    list: [{ name: 'm', url: 's3:///b/m' }],
  });
  t.same(readUrlList('[]', 'dataset'), { list: [] });
  t.end();
});

test('what is no list is refused, with the place and what to do', (t) => {
  const faults: readonly [string, RegExp][] = [
    [LIST.slice(0, -1), /this is not JSON: expected , or \] at its end: …NISTData\/", "dataset_name": "MNISTData"\}$/],
    [
      LIST.replace('"MNISTData"}', 'MNISTData"}'),
      /expected a value at character 55: ….*MNISTData\/", "dataset_name": »MNISTData"\}\]/,
    ],
    [LIST.replaceAll('"', "'"), /expected a name in double quotes or \} at character 3: \[\{»'data.*not single ones/],
    [LIST.replaceAll('"', ''), /its double quotes are gone, as a shell takes them: write '\[\{"dataset_url"/],
    [LIST.replace('"s3:', '\\"s3:'), /some of its quotes are escaped and others not/],
    ['{"dataset_url": "s3://b"}', /is JSON, but no list: write \[\{"dataset_url"/],
    ['["s3://b"]', /^entry 1 is no \{…\}/],
    ['[{"dataset_url": "s3://b"}]', /^entry 1 has no "dataset_name"$/],
    ['[{"dataset_name": "a", "dataset_url": " "}]', /^entry 1, a, has no "dataset_url"$/],
    ['[{"dataset_name": 7, "dataset_url": "s3://b"}]', /^entry 1 has no "dataset_name"$/],
  ];
  for (const [given, message] of faults) t.match(readUrlList(given, 'dataset'), { fault: message }, given);
  t.end();
});

test('names that are paths, and two that would share a folder, are refused', (t) => {
  for (const name of ['..', '../x', 'a/b', '/etc', 'a\\b', 'a\nb', '.']) {
    t.match(readUrlList(entry(name), 'dataset'), { fault: /is to be that of a folder/ }, name);
  }
  const two = (a: string, b: string) =>
    readUrlList(`[${[a, b].map((name) => entry(name).slice(1, -1)).join()}]`, 'dataset');
  t.match(two('a.zip', 'a.zip'), { fault: 'two have the name a.zip: rename one of them' });
  t.match(two('a.zip', 'A.tar.gz'), { fault: 'a.zip and A.tar.gz would share a folder: rename one of them' });
  t.match(two('a.b', 'a.c'), { list: [{ name: 'a.b' }, { name: 'a.c' }] });
  t.match(readUrlList(entry('.zip'), 'dataset'), { list: [{ name: '.zip' }] });
  t.end();
});

test('an excerpt tells no password, wherever the list breaks', (t) => {
  const secret = entry('a', 's3://user:geheim@b/x');
  for (let end = 1; end < secret.length; end++) {
    const read = readUrlList(secret.slice(0, end), 'dataset');
    t.ok('fault' in read, `cut at ${end}`);
    t.notMatch(JSON.stringify(read), 'gehe', `cut at ${end}`);
  }
  for (let at = 1; at < secret.length; at++) {
    const broken = `${secret.slice(0, at)}\u0001${secret.slice(at)}`;
    t.notMatch(JSON.stringify(readUrlList(broken, 'dataset')), 'geheim', `broken at ${at}`);
  }
  t.end();
});

test('what is no list at all is refused, be it as long as a command line may be', (t) => {
  for (const part of ['a:', '[', ':a@', '://a:', '/:@']) {
    t.match(readUrlList(part.repeat(25_000), 'dataset'), { fault: /^this is not JSON/ }, part);
  }
  t.end();
});

test('as an option it names its flag; an empty list is none', (t) => {
  const options = { pretrain_url: urlList('model', { description: 'models' }) };
  t.throws(() => parseOptions(options, ['--pretrain_url', '[{]']), {
    code: 'E_ARGUMENT_VALUE',
    message: /^--pretrain_url: this is not JSON: expected a name in double quotes or \} at character 3: \[\{»\]/,
  });
  t.equal(parseOptions(options, ['--pretrain_url', '[]']).values.pretrain_url, undefined);
  t.end();
});
