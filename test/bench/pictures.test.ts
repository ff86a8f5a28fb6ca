/** The pictures of the README show what a terminal showed, and what a run's history holds. */
import { test } from 'tap';
import { drawHistory, drawTerminals } from '../../bench/pictures/draw.js';
import { screenOf } from '../../bench/pictures/screen.js';

const texts = (output: string, columns = 80): readonly string[] =>
  screenOf(output, { columns }).map((spans) => spans.map(({ text }) => text).join(''));

test('a screen shows what a terminal does: lines written over, cleared, wrapped, coloured', async (t) => {
  t.same(texts('first\r\nsecond'), ['first', 'second']);
  t.same(texts('epoch 1\rE\u001B[7G2'), ['Epoch 2'], 'the rest of a line stays');
  t.same(texts('bar 50% left\u001B[1Gbar 100%\u001B[0K'), ['bar 100%'], 'cleared to the end');
  t.same(texts('bar\u001B[1G\u001B[2Kdone\r\n'), ['done', ''], 'cleared whole');
  t.same(texts('digit 12345', 8), ['digit 12', '345']);
  t.same(screenOf('\u001B[33mmindts: \u001B[0mcareful', { columns: 80 }), [
    [
      { text: 'mindts: ', colour: 'yellow' },
      { text: 'careful', colour: 'plain' },
    ],
  ]);
  t.throws(() => texts('\u0007'), /no terminal sequence that is known/);
});

test('terminals are drawn with their text, as text', async (t) => {
  const drawn = drawTerminals([screenOf('a <b> & \u001B[31mc', { columns: 80 }), screenOf('second', { columns: 80 })]);
  t.match(drawn, /<tspan fill="#d8dee4">a &lt;b&gt; &amp; <\/tspan><tspan fill="#ff7b72">c<\/tspan>/);
  t.match(drawn, '>second<');
});

test('a history is drawn with a point for each epoch, higher where the value is', async (t) => {
  const epochs = [
    { loss: 2, validationLoss: 1, accuracy: 0.5 },
    { loss: 1, validationLoss: 0.5, accuracy: 1 },
  ];
  const curves = Array.from(drawHistory(epochs, 'LeNet-5').matchAll(/points="([^"]*)"/g), ([, points]) =>
    points.split(' ').map((point) => point.split(',').map(Number)),
  );
  // Both panels stand on 370 and are 290 high; losses go to 2, accuracies to 100 %.
  t.same(
    curves.map((points) => points.map(([, y]) => y)),
    [
      [80, 225],
      [225, 297.5],
      [225, 80],
    ],
  );
  t.ok(curves.every(([[left], [right]]) => left < right));
});
