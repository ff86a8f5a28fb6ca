import { test } from 'tap';
import { nearest } from '../../sdk/args/nearest.js';

const known = ['data_url', 'train_url', 'epoch_size', 'batch_size'];

test('a misspelled word finds the one that was meant', async (t) => {
  t.equal(nearest('epochsize', known), 'epoch_size');
  t.equal(nearest('epoch_sizes', known), 'epoch_size');
  t.equal(nearest('bacth_size', known), 'batch_size');
  t.equal(nearest('data_url', known), 'data_url');
});

test('a word that is like none finds none', async (t) => {
  t.equal(nearest('boot_file', known), undefined);
  t.equal(nearest('', known), undefined);
  t.equal(nearest('x', []), undefined);
});
