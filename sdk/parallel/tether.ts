/**
 * Loaded before the script of a rank that `mindts launch` started: the rank ends when its launcher has, which one that was killed
 * could not tell it. It notices by the pipe between them, which the system closes.
 */
import { rmSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { isMainThread } from 'node:worker_threads';
import { log } from '../base/log.js';

// Worker threads load this too, but the pipe is not theirs.
if (isMainThread && process.connected) {
  process.once('disconnect', end);
  // A rank whose work is done ends, though the launcher is there.
  process.channel?.unref();
} else if (isMainThread && process.connected === false) {
  // It was ended while this process started. Where there was no pipe at all, this is undefined.
  end();
}

function end(): never {
  log.error('mindts launch, which started this rank, was ended: stopping; --resume goes on from the last checkpoint');
  // What the launcher would have removed.
  const folder = dirname(process.env['MINDTS_RENDEZVOUS'] ?? '.');
  if (basename(folder).startsWith('mindts-launch-')) rmSync(folder, { recursive: true, force: true });
  process.exit(1);
}
