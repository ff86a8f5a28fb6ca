/** A real disk that takes `A` and `a` for one name: NTFS, where the tests may mount it and ntfs-3g is installed. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';

function mount(): string {
  const place = mkdtempSync(join(tmpdir(), 'mindts-folding-'));
  const [image, folder] = [join(place, 'image'), join(place, 'disk')];
  try {
    writeFileSync(image, '');
    truncateSync(image, 8 << 20);
    mkdirSync(folder);
    execFileSync('mkntfs', ['-q', '-F', '-f', image], { stdio: 'pipe' });
    execFileSync('lowntfs-3g', ['-o', 'ignore_case', image, folder], { stdio: 'pipe' });
    return folder;
  } catch (error) {
    rmSync(place, { recursive: true });
    throw error;
  }
}

function unmount(folder: string): void {
  execFileSync('umount', [folder]);
  rmSync(join(folder, '..'), { recursive: true });
}

function whyNot(): string | false {
  try {
    unmount(mount());
    return false;
  } catch {
    return 'no ntfs-3g, or no right to mount, here';
  }
}

/** Why {@link foldingDisk} cannot be had, for a test's `skip`; false where it can. */
export const noFoldingDisk: string | false = whyNot();

/** The folder of a new disk, unmounted when the test ends. */
export function foldingDisk(t: Test): string {
  const folder = mount();
  t.teardown(() => unmount(folder));
  return folder;
}
