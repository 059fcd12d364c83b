/**
 * The history of a run: a hash, and on request lines to read.
 *
 * Only what the seed decides may enter the hash: no fiber ids, which count for the whole process, and no real time.
 */
export class Trace {
  private low = 0x811c9dc5 | 0
  private high = 0x01000193
  readonly lines: Array<string> | undefined

  constructor(isReadable: boolean) {
    this.lines = isReadable ? [] : undefined
  }

  /** Adds an integer to the hash: FNV-1a by words, in two lanes. */
  mix(value: number): void {
    this.low = Math.imul(this.low ^ value, 0x01000193)
    const high = Math.imul(this.high ^ value, 0x85ebca6b)
    this.high = (high << 13) | (high >>> 19)
  }

  mixText(text: string): void {
    for (let i = 0; i < text.length; i++) this.mix(text.charCodeAt(i))
    this.mix(text.length)
  }

  get hash(): string {
    return [this.low, this.high].map((lane) => (lane >>> 0).toString(16).padStart(8, "0")).join("")
  }
}
