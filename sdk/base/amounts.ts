/** Numbers of things and seconds, for people. */

/**
 * A count with its unit; `bytes` in their multiples of 1000.
 *
 * @example
 * amount(60_000, 'images'); // '60000 images'
 * amount(1, 'images'); // '1 image'
 * amount(11_594_722, 'bytes'); // '11.6 MB'
 */
export function amount(count: number, unit: string): string {
  if (unit !== 'bytes' || count < 1000) return `${count} ${count === 1 ? unit.replace(/s$/, '') : unit}`;
  const power = Math.min(4, Math.floor(Math.log10(count) / 3));
  return `${(count / 1000 ** power).toFixed(1)} ${['', 'kB', 'MB', 'GB', 'TB'][power]}`;
}

/**
 * A span of time, to two figures or so.
 *
 * @example
 * duration(0.81); // '0.8 s'
 * duration(7620); // '2 h 7 min'
 */
export function duration(seconds: number): string {
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/**
 * How many in a second.
 *
 * @example
 * rate(1.2e9, 8, 'bytes'); // '150.0 MB/s'
 */
export function rate(count: number, seconds: number, unit: string): string {
  return `${amount(Math.round(count / Math.max(seconds, 0.001)), unit)}/s`;
}
