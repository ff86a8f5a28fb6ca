/** Where the shared library of native/ lies. */
import { join } from 'node:path';
import { packageRoot } from './package.js';

/** Where the library may be: built here, or prebuilt in the package. `MINDTS_NATIVE` names another, or `off`. */
export function libraryCandidates(): readonly string[] {
  const wanted = process.env['MINDTS_NATIVE'];
  if (wanted === 'off') return [];
  if (wanted) return [wanted];
  const file = `mindts.${process.platform === 'darwin' ? 'dylib' : 'so'}`;
  const platform = `${process.platform}-${process.arch}`;
  return [join(packageRoot, 'native', 'build', file), join(packageRoot, 'native', 'prebuilt', platform, file)];
}
