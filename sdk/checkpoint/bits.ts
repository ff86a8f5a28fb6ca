/** Numbers of a few bits, one behind the other, each byte filled from its lowest bit up. */

/** How many bits a number needs. */
export function bitsFor(largest: number): number {
  return 32 - Math.clz32(largest);
}

/**
 * Bits that are being written.
 *
 * @example
 * const bits = new BitWriter();
 * bits.write(5, 3);
 * bits.write(1, 2);
 * [...bits.bytes()]; // [0b01101]
 */
export class BitWriter {
  readonly #bytes: number[] = [];
  #length = 0;

  /** The lowest `bits` of a number below 2³². */
  write(value: number, bits: number): void {
    for (let i = 0; i < bits; i++) {
      const place = this.#length++;
      if (place % 8 === 0) this.#bytes.push(0);
      this.#bytes[place >> 3] |= ((value >>> i) & 1) << (place & 7);
    }
  }

  /** All that was written, with zeros up to the last byte's end. */
  bytes(): Uint8Array {
    return Uint8Array.from(this.#bytes);
  }
}

/** Bits that are being read. Whoever reads knows how many there are. */
export class BitReader {
  #place = 0;

  constructor(readonly bytes: Uint8Array) {}

  /** The next number of so many bits. */
  read(bits: number): number {
    let value = 0;
    for (let i = 0; i < bits; i++) {
      const place = this.#place++;
      value += ((this.bytes[Math.floor(place / 8)] >> (place & 7)) & 1) * 2 ** i;
    }
    return value;
  }

  /** Whether only zeros are left. */
  get isPadded(): boolean {
    for (let place = this.#place; place < this.bytes.length * 8; place++) {
      if ((this.bytes[Math.floor(place / 8)] >> (place & 7)) & 1) return false;
    }
    return true;
  }
}
