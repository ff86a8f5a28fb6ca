/** Lines for the person at the terminal, or in the platform's log. */
import { ParallelError } from './errors.js';
import { currentRank } from './rank.js';

/**
 * Says what happens. `info` goes to stdout, on rank 0 only; `warn` and `error` go to stderr behind
 * `mindts: `, from every rank. Nothing is redacted: pass URLs through {@link redactUrl}. A reader that went
 * away (`| head`) or a full disk does not end the run.
 *
 * @example
 * log.info('epoch 1: loss 0.21, accuracy 0.93');
 */
export const log: {
  info(text: string): void;
  warn(text: string): void;
  error(text: string): void;
} = {
  info(text) {
    if (isFirstRank()) writeLine(process.stdout, visible(text));
  },
  warn(text) {
    writeLine(process.stderr, coloured('33', 'mindts: ') + ofRank() + visible(text));
  },
  error(text) {
    writeLine(process.stderr, coloured('31', 'mindts: ') + ofRank() + visible(text));
  },
};

/**
 * A text whose control characters are written out, line breaks and tabs aside: names in archives, files and URLs
 * must not move the cursor, colour the terminal or turn the reading direction.
 *
 * @example
 * visible('a\u001B[31mb'); // 'a\\x1b[31mb'
 */
export function visible(text: string): string {
  return text.replace(CONTROLS, (character) => `\\x${(character.codePointAt(0) ?? 0).toString(16).padStart(2, '0')}`);
}

const CONTROLS = /[^\P{Cc}\n\t]|[\u2028\u2029\u200E\u200F\u202A-\u202E\u2066-\u2069]/gu;

/** Whether this process speaks for the job: it is rank 0, or alone. */
export function isFirstRank(): boolean {
  return rankId() === 0;
}

/** Writes a line, above the progress that is being drawn, if any. */
export function writeLine(stream: NodeJS.WritableStream, text: string): void {
  eraseDrawn?.();
  outlive(stream);
  stream.write(`${text}\n`);
}

/** Keeps a run alive whose output cannot be written any more; its results go to files of their own. */
export function outlive(stream: NodeJS.WritableStream): void {
  if (outlived.has(stream)) return;
  outlived.add(stream);
  stream.on('error', () => {});
}

/**
 * Takes the terminal's last line to draw on; `erase` is called before each line that is written above it.
 * Returns how to hand it back, or undefined while another holds it.
 */
export function takeLastLine(erase: () => void): (() => void) | undefined {
  if (eraseDrawn !== undefined) return undefined;
  eraseDrawn = erase;
  return () => {
    eraseDrawn = undefined;
  };
}

/**
 * A URL, or a text with URLs in it, without `user:password@` and without query parameters that grant
 * access: `AccessKeyId`, `Signature`, `X-Amz-*`, `security-token`, … All else stays letter for letter.
 *
 * @example
 * redactUrl('obs://user:secret@bucket/data.zip?Signature=abc&partNumber=1'); // 'obs://bucket/data.zip?partNumber=1'
 */
export function redactUrl(url: string): string {
  return url.replace(URL_IN_TEXT, (found) => withoutParameters(found.replace(USER_INFO, '$1')));
}

// The scheme's length is bounded, or a long text without one would take time in the square of its length.
const URL_IN_TEXT = /[a-z][a-z0-9+.-]{0,20}:\/\/[^\s"'<>]*/gi;
// Up to the last `@` of the authority. Secret keys may hold a `/`: what follows a colon and is no port is
// taken for a password up to its `@`.
const USER_INFO = /^([a-z][a-z0-9+.-]*:\/\/)(?:[^/?#]*@|[^/?#@:]*:(?!\d*(?:[/?#]|$))[^?#@]*@)/i;
const GRANTS_ACCESS =
  /^(x-(amz|obs|oss|goog|cos)-.*|.*(access[-_]?key|signature|token|secret|passw|credential|api[-_]?key).*|sig|ak|sk|pwd|policy|key-pair-id)$/i;

function withoutParameters(url: string): string {
  const start = url.search(/[?#]/);
  if (start < 0) return url;
  const kept = url
    .slice(start)
    .split(/(?=[?&;#])/)
    .filter((part) => !GRANTS_ACCESS.test(part.slice(1).split('=')[0]))
    .join('');
  return url.slice(0, start) + kept.replace(/^[&;]/, '?');
}

let eraseDrawn: (() => void) | undefined;
const outlived = new WeakSet<NodeJS.WritableStream>();

function coloured(colour: string, text: string): string {
  // hasColors knows NO_COLOR, FORCE_COLOR and TERM=dumb.
  return process.stderr.isTTY && process.stderr.hasColors() ? `\u001B[${colour}m${text}\u001B[0m` : text;
}

function ofRank(): string {
  const id = rankId();
  return id === 0 ? '' : `rank ${id}: `;
}

function rankId(): number {
  try {
    return currentRank().id;
  } catch (error) {
    // What joins ranks throws the same; a line that says so, and others, must come out.
    if (error instanceof ParallelError) return 0;
    throw error;
  }
}
