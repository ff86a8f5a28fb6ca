import { test } from 'tap';
import { Outlook } from '../../sdk/pruning/outlook.js';

const settings = { iterations: 100, prune_stop: 45, search_every: 10 };

test('the time left is that of the rounds and of the steps that are left, as they went last', async (t) => {
  const outlook = new Outlook(settings);
  outlook.searched(8);
  t.equal(outlook.left(0, { spent: 6, left: 2 }), undefined, 'how long training takes is not known yet');
  outlook.trained(10, 20);
  t.equal(outlook.left(10), 4 * 8 + 90 * 2, 'rounds at 10, 20, 30, 40');
  t.equal(outlook.left(10, { spent: 5, left: 3 }), 3 + 3 * 8 + 90 * 2, 'the round at 10 is under way');
  t.equal(outlook.left(10, { spent: 1, left: 1 }), 1 + 3 * 5 + 90 * 2, 'and is quicker than the one before');
  t.equal(outlook.left(10, { spent: 2, left: undefined }), 6 + 3 * 8 + 90 * 2, 'how far it is nobody says');
  t.equal(outlook.left(10, { spent: 20, left: undefined }), 3 * 14 + 90 * 2, 'it takes longer than the one before');
  t.equal(outlook.left(45), 55 * 2, 'retraining has no rounds');
  t.equal(outlook.left(100), 0);
});

test('what becomes cheaper is expected to be so', async (t) => {
  const outlook = new Outlook(settings);
  for (const seconds of [8, 4, 2]) {
    outlook.searched(seconds);
    outlook.trained(10, seconds);
  }
  t.equal(outlook.left(30), 2 * 4 + 70 * 0.4, 'of 8, 4 and 2 s the last counts for half');
});

test('a run that is resumed in its retraining knows no rounds, and needs none', async (t) => {
  const outlook = new Outlook(settings);
  outlook.trained(10, 5);
  t.equal(outlook.left(60), 20);
});
