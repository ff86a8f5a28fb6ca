/**
 * Seeded random numbers. Every draw is a pure function of the seed and of a stream name, so that a run
 * resumed in the middle draws what it would have drawn: nothing but the seed needs to be saved.
 */
export interface Random {
  /** A whole number in [0, 2³²). */
  uint32(): number;
  /** A number in [0, 1), with 53 random bits. */
  uniform(): number;
  /** A draw from the standard normal distribution N(0, 1). */
  normal(): number;
  /** A whole number in [0, n). */
  below(n: number): number;
}

/**
 * A generator for one purpose.
 *
 * @param seed any number; the same seed and stream always give the same draws
 * @param stream what the draws are for, such as `shuffle` and an epoch number
 * @example
 * const random = seededRandom(1, 'shuffle', 3);
 * random.uniform() < 1; // true
 */
export function seededRandom(seed: number, ...stream: readonly (string | number)[]): Random {
  // xoshiro128** by Blackman and Vigna, https://prng.di.unimi.it/xoshiro128starstar.c, its state
  // filled by a 32-bit FNV-1a hash of the stream and a murmur3 finaliser.
  const text = [seed, ...stream].join('/');
  let [a, b, c, d] = [1, 2, 3, 4].map((salt) => hash32(text, salt));
  let spare: number | undefined;

  function uint32(): number {
    const scaled = Math.imul(b, 5);
    const result = Math.imul((scaled << 7) | (scaled >>> 25), 9) >>> 0;
    const t = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= t;
    d = (d << 11) | (d >>> 21);
    return result;
  }
  function uniform(): number {
    return ((uint32() >>> 5) * 2 ** 26 + (uint32() >>> 6)) / 2 ** 53;
  }
  function normal(): number {
    if (spare !== undefined) {
      const value = spare;
      spare = undefined;
      return value;
    }
    // Box and Muller, 1958; 1 − u keeps the logarithm finite.
    const radius = Math.sqrt(-2 * Math.log(1 - uniform()));
    const angle = 2 * Math.PI * uniform();
    spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  }
  return { uint32, uniform, normal, below: (n) => Math.floor(uniform() * n) };
}

/** The numbers 0 … n − 1 in random order (Fisher and Yates). */
export function permutation(n: number, random: Random): Int32Array {
  const order = Int32Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = random.below(i + 1);
    const kept = order[i];
    order[i] = order[j];
    order[j] = kept;
  }
  return order;
}

function hash32(text: string, salt: number): number {
  let h = 0x811c9dc5 ^ Math.imul(salt, 0x9e3779b9);
  for (let i = 0; i < text.length; i++) {
    h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  }
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) | 0;
}
