/** A real disk that is soon full: a small tmpfs, where the tests may mount one. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';

function mount(bytes: number): string {
  const folder = mkdtempSync(join(tmpdir(), 'mindts-disk-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', folder], { stdio: 'pipe' });
    return folder;
  } catch (error) {
    rmdirSync(folder);
    throw error;
  }
}

function unmount(folder: string): void {
  execFileSync('umount', [folder]);
  rmdirSync(folder);
}

function whyNot(): string | false {
  try {
    unmount(mount(1 << 16));
    return false;
  } catch {
    return 'no right to mount a small disk here';
  }
}

/** Why {@link smallDisk} cannot be had, for a test's `skip`; false where it can. */
export const noSmallDisk: string | false = whyNot();

/** The folder of a new disk of so many bytes, unmounted when the test ends. */
export function smallDisk(t: Test, bytes: number): string {
  const folder = mount(bytes);
  t.teardown(() => unmount(folder));
  return folder;
}
