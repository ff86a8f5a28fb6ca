/**
 * The random numbers of numpy's `np.random.seed(seed)` and `np.random.randn()`, to replay a run of the seed program: MT19937
 * (Matsumoto and Nishimura 1998, https://doi.org/10.1145/272991.272995) and Marsaglia's polar method, as numpy keeps them for
 * old programs (https://numpy.org/neps/nep-0019-rng-policy.html). Nothing new should draw from it.
 */

/** Words of state, and how far the recurrence looks ahead. */
const [WORDS, AHEAD] = [624, 397];

/**
 * The function `randn`: each call draws from N(0, 1).
 *
 * @param seed a whole number from 0 to 2³² − 1
 * @example
 * const randn = numpyNormal(1);
 * randn(); // 1.6243453636632417
 * randn(); // -0.6117564136500754
 */
export function numpyNormal(seed: number): () => number {
  const uniform = mersenneTwister(seed);
  let spare: number | undefined;
  return () => {
    if (spare !== undefined) {
      const value = spare;
      spare = undefined;
      return value;
    }
    for (;;) {
      const x = 2 * uniform() - 1;
      const y = 2 * uniform() - 1;
      const squared = x * x + y * y;
      if (squared >= 1 || squared === 0) continue;
      const factor = Math.sqrt((-2 * Math.log(squared)) / squared);
      spare = factor * x;
      return factor * y;
    }
  };
}

/** Draws from [0, 1) with 53 random bits. */
function mersenneTwister(seed: number): () => number {
  const state = new Uint32Array(WORDS);
  state[0] = seed;
  for (let i = 1; i < WORDS; i++) state[i] = Math.imul(1812433253, state[i - 1] ^ (state[i - 1] >>> 30)) + i;
  let next = WORDS;

  function uint32(): number {
    if (next === WORDS) {
      for (let i = 0; i < WORDS; i++) {
        const y = (state[i] & 0x80000000) | (state[(i + 1) % WORDS] & 0x7fffffff);
        state[i] = state[(i + AHEAD) % WORDS] ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
      }
      next = 0;
    }
    let y = state[next++];
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }
  return () => ((uint32() >>> 5) * 2 ** 26 + (uint32() >>> 6)) / 2 ** 53;
}
