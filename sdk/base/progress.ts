/**
 * How far something has come: a bar or a spinner on a terminal, a plain line now and then elsewhere.
 * ora and cli-progress make the text; drawing it is ten lines here, so that no library hides the cursor,
 * hooks the streams, or keeps the process alive.
 */
import { clearLine, cursorTo } from 'node:readline';
import type { WriteStream } from 'node:tty';
import { amount, duration } from './amounts.js';
import { isFirstRank, log, outlive, takeLastLine, writeLine } from './log.js';

/** Something that takes a while. After `done` or `fail`, nothing more is shown. */
export interface Progress {
  /**
   * `done` units are through. Cheap enough to call at every step.
   *
   * @param left seconds, where units that differ do not tell it, counted down until the next call; default: as many units in a second as so far
   */
  update(done: number, note?: string, left?: number): void;
  /** There are `total` units, which was not known at the beginning. */
  expect(total: number): void;
  /** Of the units that are through, so many took no time, having been through before: they do not count for the time that is left. */
  credit(before: number): void;
  /** All is through. */
  done(note?: string): void;
  /** It ended before all was through; why is for the error to say. */
  fail(): void;
  /** It ends without a word: something else says how it went. */
  clear(): void;
}

/** What takes a while. */
export interface Task {
  /** What is done: `copying MNISTData.zip`. */
  readonly label: string;
  /** How many units there are, if that is known. */
  readonly total?: number | undefined;
  /** What is counted: `images`, `steps`; `bytes` are shown as kB, MB, GB. */
  readonly unit: string;
}

/**
 * Starts to show how far a task has come, on stderr, on rank 0 only. On a terminal a line is drawn ten times
 * a second, a bar when the total is known; the first task draws, and those beside it use plain lines. Plain
 * lines come at most every 10 s. A task that ends within 1 s leaves no trace.
 *
 * @param surroundings for tests: where to write, and a clock in milliseconds
 * @example
 * const progress = startProgress({ label: 'copying', total: 3, unit: 'files' });
 * progress.update(1);
 * progress.done();
 */
export function startProgress(
  task: Task,
  { stream = process.stderr, now = () => performance.now() }: Surroundings = {},
): Progress {
  if (!isFirstRank()) return { update() {}, expect() {}, credit() {}, done() {}, fail() {}, clear() {} };
  const start = now();
  let { total } = task;
  let [done, before] = [0, 0];
  let note = '';
  let left: number | undefined;
  let leftSince = start;
  let nextLine = start + SOON_MS;
  let ended = false;
  const look = (): View => {
    const at = now();
    const leftNow = left === undefined ? undefined : Math.max(0, left - (at - leftSince) / 1000);
    const seconds = (at - start) / 1000;
    return { ...task, label: oneLine(task.label), total, done, before, note, left: leftNow, seconds };
  };
  const stopDrawing = isTerminal(stream) ? draw(stream, look) : undefined;

  function end(line: (view: View) => string): void {
    if (ended) return;
    ended = true;
    stopDrawing?.();
    if (now() - start >= SOON_MS) writeLine(stream, line(look()));
  }
  return {
    update(reached, newNote = '', newLeft) {
      if (ended) return;
      done = reached;
      left = newLeft;
      leftSince = now();
      note = oneLine(newNote);
      if (stopDrawing !== undefined || now() < nextLine) return;
      nextLine = now() + LINE_EVERY_MS;
      const view = look();
      writeLine(stream, `${view.label}: ${share(view)}${counts(view)}`);
    },
    expect(count) {
      total = count;
    },
    credit(count) {
      before = count;
    },
    done(lastNote = '') {
      done = total ?? done;
      note = oneLine(lastNote);
      end((view) => `${view.label}: ${amount(done, task.unit)} in ${duration(view.seconds)}${noted(view)}`);
    },
    clear() {
      if (!ended) stopDrawing?.();
      ended = true;
    },
    fail() {
      end((view) => `${view.label}: stopped after ${duration(view.seconds)}, at ${share(view)}${ofTotal(view)}`);
    },
  };
}

const SOON_MS = 1_000;
const LINE_EVERY_MS = 10_000;
const FRAME_EVERY_MS = 100;
const BAR_WIDTH = 24;

/** For tests: where a task is shown, and a clock in milliseconds. */
export interface Surroundings {
  readonly stream?: NodeJS.WritableStream;
  readonly now?: () => number;
}

/** A task as it stands. */
interface View extends Task {
  readonly done: number;
  readonly before: number;
  readonly note: string;
  readonly left: number | undefined;
  readonly seconds: number;
}

function isTerminal(stream: NodeJS.WritableStream): stream is WriteStream {
  const mayDraw = process.env.TERM !== 'dumb' && process.env.CI === undefined;
  return mayDraw && 'isTTY' in stream && stream.isTTY === true;
}

/** Draws on the terminal's last line until the returned function is called; undefined when another task does. */
function draw(stream: WriteStream, look: () => View): (() => void) | undefined {
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  const erase = (): void => {
    if (timer === undefined) return;
    cursorTo(stream, 0);
    clearLine(stream, 0);
  };
  const release = takeLastLine(erase);
  if (release === undefined) return undefined;
  outlive(stream);

  async function start(): Promise<void> {
    // The total may become known while this is drawn.
    const [withoutTotal, withTotal] = [await spinner(), await bar()];
    if (stopped) return;
    const paint = (): void => {
      const view = look();
      const line = fitted(view.total === undefined ? withoutTotal : withTotal, view, stream.columns || 80);
      cursorTo(stream, 0);
      stream.write(line);
      clearLine(stream, 1);
    };
    timer = setInterval(paint, FRAME_EVERY_MS).unref();
    paint();
  }
  const stop = (): void => {
    if (stopped) return;
    stopped = true;
    clearInterval(timer);
    erase();
    release();
  };
  start().catch((error: unknown) => {
    stop();
    log.warn(`progress cannot be drawn, the work goes on: ${String(error)}`);
  });
  return stop;
}

// The libraries are loaded when something is first drawn, because most commands draw nothing.

async function bar(): Promise<(view: View) => string> {
  const { default: cliProgress } = await import('cli-progress');
  const options = {
    format: '{label} [{bar}] {percentage}% {counts}',
    barsize: BAR_WIDTH,
    barCompleteString: '='.repeat(BAR_WIDTH),
    barIncompleteString: '-'.repeat(BAR_WIDTH),
    barGlue: '',
    autopaddingChar: '',
  };
  return (view) => {
    const { label, done, seconds, total = done } = view;
    const params = { value: done, total, progress: fraction(view), eta: 0, startTime: 0, stopTime: seconds * 1000 };
    return cliProgress.Format.Formatter(options, { ...params, maxWidth: 0 }, { label, counts: counts(view) });
  };
}

async function spinner(): Promise<(view: View) => string> {
  const { default: ora } = await import('ora');
  const made = ora({ color: false });
  return (view) => {
    made.text = `${view.label} ${counts(view)}`;
    return made.frame();
  };
}

/** `400/1000 images, 12 s left, loss 0.2` */
function counts(view: View): string {
  const { done, before, total, seconds } = view;
  const isTelling = total !== undefined && done > before;
  const left = view.left ?? (isTelling ? Math.max(0, (seconds * (total - done)) / (done - before)) : undefined);
  return `${ofTotal(view)}, ${left === undefined ? duration(seconds) : `${duration(left)} left`}${noted(view)}`;
}

/** `400/1000 images` */
function ofTotal({ done, total, unit }: View): string {
  if (total === undefined) return amount(done, unit);
  return unit === 'bytes' ? `${amount(done, unit)}/${amount(total, unit)}` : `${done}/${amount(total, unit)}`;
}

/** `40% ` */
function share(view: View): string {
  return view.total === undefined ? '' : `${Math.floor(fraction(view) * 100)}% `;
}

function fraction({ done, total }: View): number {
  return total === undefined || total <= 0 ? 1 : Math.min(1, Math.max(0, done / total));
}

function noted({ note }: View): string {
  return note === '' ? '' : `, ${note}`;
}

/** Names of files come from archives of others: no control characters may reach the terminal. */
function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029]+/gu, ' ');
}

/** A line that fits a terminal: what is too much goes from the label's middle, then the bar goes, and only then the line's end. */
function fitted(render: (view: View) => string, view: View, columns: number): string {
  const room = columns - 1;
  const shortest = (form: (view: View) => string): string => {
    const excess = widthOf(form(view)) - room;
    return form({ ...view, label: shortened(view.label, Math.max(LEAST_LABEL, widthOf(view.label) - excess)) });
  };
  const line = shortest(render);
  return widthOf(line) <= room ? line : cut(shortest(plain), room);
}

const LEAST_LABEL = 12;

function plain(view: View): string {
  return `${view.label} ${share(view)}${counts(view)}`;
}

/** `copying s3…/a.zip`: its beginning says what is done, its end to what. */
function shortened(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  const end = cut(backwards(text), Math.floor((width - 1) / 2));
  return `${cut(text, Math.ceil((width - 1) / 2))}…${backwards(end)}`;
}

function backwards(text: string): string {
  return [...text].toReversed().join('');
}

/** As much of a text as has its place in so many columns. */
function cut(text: string, columns: number): string {
  let room = columns;
  let kept = '';
  for (const character of text) {
    room -= widthOf(character);
    if (room < 0) break;
    kept += character;
  }
  return kept;
}

/** The columns that a text takes on a terminal: two for a Chinese, Japanese or Korean character. */
function widthOf(text: string): number {
  let columns = 0;
  for (const character of text) columns += (character.codePointAt(0) ?? 0) >= 0x2e80 ? 2 : 1;
  return columns;
}
