/** Numbers that depend on the seed alone (sfc32: small, fast, 128 bits of state). */
export class Draws {
  private a: number
  private b: number
  private c = 0x9e3779b9
  private counter = 1

  constructor(seed: number) {
    this.a = seed | 0
    // The part of a seed above 32 bits counts too.
    this.b = Math.floor(seed / 0x100000000) | 0
    for (let i = 0; i < 12; i++) this.bits()
  }

  /** 32 bits, as a signed integer. */
  bits(): number {
    const sum = (this.a + this.b + this.counter) | 0
    this.counter = (this.counter + 1) | 0
    this.a = this.b ^ (this.b >>> 9)
    this.b = (this.c + (this.c << 3)) | 0
    this.c = (((this.c << 21) | (this.c >>> 11)) + sum) | 0
    return sum
  }

  /** From 0 up to 1. */
  fraction(): number {
    return (this.bits() >>> 0) / 0x100000000
  }

  /** An integer from 0 up to `size`. */
  below(size: number): number {
    return Math.floor(this.fraction() * size)
  }

  isHit(probability: number): boolean {
    return this.fraction() < probability
  }

  one<A>(of: readonly [A, ...ReadonlyArray<A>]): A {
    return of[this.below(of.length)] ?? of[0]
  }
}
