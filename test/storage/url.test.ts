import * as fc from 'fast-check';
import { test } from 'tap';
import { localPath } from '../../sdk/storage/local.js';
import { storeFor } from '../../sdk/storage/stores.js';
import { joinUrl, schemeOf, shownUrl } from '../../sdk/storage/url.js';

test('the scheme of a plain path is file', async (t) => {
  t.equal(schemeOf('data/train'), 'file');
  t.equal(schemeOf('C:\\data'), 'file');
  t.equal(schemeOf('FILE:///data'), 'file');
  t.equal(schemeOf('S3://bucket/key'), 's3');
});

test('an unknown scheme is refused, naming it and those there are', async (t) => {
  t.ok(await storeFor('file:///data'));
  await t.rejects(storeFor('gopher://me:secret@hole/x'), {
    code: 'E_SCHEME',
    message: /gopher:\/\/hole\/x.*file:\/\//,
  });
  await t.rejects(storeFor('gopher://me:secret@hole/x'), { message: /^(?!.*secret)/ });
});

test('a password in a URL is not shown', async (t) => {
  t.equal(shownUrl('s3://me:p@bucket/a@b'), 's3://bucket/a@b');
  t.equal(shownUrl('data/a@b'), 'data/a@b');
  t.equal(shownUrl('https://me:p@ss@host/a@b'), 'https://host/a@b');
  t.equal(shownUrl('s3://id:se/cret@bucket/a'), 's3://bucket/a');
  t.equal(shownUrl('s3://bucket/a?X-Amz-Signature=secret'), 's3://bucket/a');
  t.equal(shownUrl('s3://bucket/what?'), 's3://bucket/what?');
});

test('a joined URL never leads out of its folder, and names what it was given', async (t) => {
  for (const name of ['..', '../x', 'a/../../x', '/x', 'a//x', 'a/', '.', '']) {
    t.throws(() => joinUrl('s3://bucket/out', name), { code: 'E_NAME' }, name);
  }
  const part = fc
    .string({ unit: 'binary', minLength: 1 })
    .filter((s) => !/[/\0\ud800-\udfff]/u.test(s) && !/^\.\.?$/.test(s));
  fc.assert(
    fc.property(fc.array(part, { minLength: 1 }), (parts) => {
      const name = parts.join('/');
      return (
        joinUrl('/data/', name) === `/data/${name}` &&
        localPath(joinUrl('file:///data', name)) === localPath(`/data/${name}`)
      );
    }),
  );
});
