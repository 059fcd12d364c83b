/**
 * A pool as a list of places and a list of waiters. It keeps no count and no index, and finds out everything anew.
 *
 * It says in words what a pool's shell must do, in this order. Places and waiters are numbered as they come.
 */
import type { Limits } from "../../src/internal/pool/rules.ts"

export interface Place {
  readonly id: number
  state: "opening" | "idle" | "busy" | "validating" | "resetting" | "closing"
  ends: string | undefined
  openedAt: number
  spread: number
  knownAt: number
  usedAt: number
  /** How many had become idle before it did. */
  restedAs: number
  takenAt: number
  uses: number
  isReported: boolean
}

export class PoolModel {
  readonly limits: Limits
  now = 0
  places: Array<Place> = []
  waiters: Array<number> = []
  isShut = false
  private opened = 0
  private came = 0
  private rested = 0
  private failures = 0
  private pausedUntil = 0
  private said: Array<string> = []

  constructor(limits: Limits) {
    this.limits = limits
  }

  in(...states: ReadonlyArray<Place["state"]>): Array<Place> {
    return this.places.filter(({ state }) => states.includes(state))
  }

  /** The one that was used last comes last. */
  private get idle(): Array<Place> {
    return this.in("idle").toSorted((one, other) => one.usedAt - other.usedAt || one.restedAs - other.restedAs)
  }

  private get coming(): Array<Place> {
    return this.in("opening", "validating", "resetting").filter(({ ends }) => ends === undefined)
  }

  private get lasting(): Array<Place> {
    return this.places.filter(({ state }) => state !== "closing")
  }

  private expiresAt({ openedAt, spread }: Place): number {
    return openedAt + this.limits.maxLifetime * (1 - 0.2 * spread)
  }

  private checksAt({ knownAt, spread }: Place): number {
    return knownAt + this.limits.keepAlive * (1 - 0.1 * spread)
  }

  private isOld(place: Place): boolean {
    return this.now >= this.expiresAt(place)
  }

  private mayBeLent(place: Place): boolean {
    return !this.isOld(place) && this.now - place.knownAt <= this.limits.bypass
  }

  /** When something is due by the clock alone. */
  get dueAt(): number {
    const { idleTimeToLive, leakThreshold, min } = this.limits
    const isTooMuch = this.lasting.length > min
    const isWanted = !this.isShut && this.places.length < this.limits.max &&
      (this.waiters.length > this.coming.length || this.lasting.length < min)
    return Math.min(
      ...this.idle.flatMap((place) => [
        this.expiresAt(place),
        this.checksAt(place),
        isTooMuch ? place.usedAt + idleTimeToLive : Infinity
      ]),
      ...this.in("busy").map(({ isReported, takenAt }) => isReported ? Infinity : takenAt + leakThreshold),
      isWanted && this.in("opening").length === 0 ? this.pausedUntil : Infinity
    )
  }

  /** What must be done since this was called last. */
  commands(): ReadonlyArray<string> {
    const { said } = this
    this.said = []
    return said
  }

  borrow(): string {
    const place = this.idle.findLast((place) => this.mayBeLent(place))
    if (place !== undefined) {
      this.lend(place)
      return `takes ${place.id}`
    }
    if (this.isShut) return "shut"
    const { max, maxWaiters } = this.limits
    const served = this.coming.length + this.idle.length + max - this.places.length
    if (this.waiters.length >= served + maxWaiters) return "full"
    this.waiters.push(this.came++)
    this.supply()
    return "waits"
  }

  leave(waiter: number): void {
    this.waiters = this.waiters.filter((other) => other !== waiter)
  }

  give(place: Place): void {
    place.usedAt = this.now
    place.knownAt = this.now
    if (place.uses >= this.limits.maxUses) place.ends ??= "uses"
    if (this.isOld(place)) place.ends ??= "lifetime"
    if (place.ends !== undefined || !this.limits.isReset) return this.settle(place)
    place.state = "resetting"
    this.said.push(`Reset ${place.id}`)
  }

  pass(place: Place): void {
    place.uses--
    this.settle(place)
  }

  open(place: Place, spread: number): void {
    this.failures = 0
    this.pausedUntil = 0
    Object.assign(place, { spread, openedAt: this.now, knownAt: this.now, usedAt: this.now })
    this.settle(place)
  }

  fail(place: Place, spread: number): void {
    this.places = this.places.filter((other) => other !== place)
    if (place.ends === undefined) {
      if (this.now >= this.pausedUntil) {
        const pause = Math.min(this.limits.maxBackoff, this.limits.backoff * 2 ** this.failures++)
        this.pausedUntil = this.now + pause * (1 - spread / 2)
      }
      const isHopeless = this.lasting.every(({ state }) => state === "opening") &&
        this.waiters.length > this.coming.length
      if (isHopeless) this.said.push(`Reject ${this.waiters.shift()} connect`)
    }
    this.supply()
  }

  checked(place: Place, isGood: boolean): void {
    if (isGood) place.knownAt = this.now
    else place.ends ??= place.state === "validating" ? "invalid" : "resetFailed"
    this.settle(place)
  }

  close(place: Place): void {
    this.places = this.places.filter((other) => other !== place)
    this.supply()
  }

  end(place: Place, reason: string): void {
    if (place.ends !== undefined) return
    this.conclude(place, reason)
    this.supply()
  }

  refresh(): void {
    this.failures = 0
    this.pausedUntil = 0
    for (const place of this.places) this.conclude(place, "refreshed")
    this.supply()
  }

  shut(): void {
    this.isShut = true
    for (const waiter of this.waiters) this.said.push(`Reject ${waiter} shut`)
    this.waiters = []
    for (const place of this.places) this.conclude(place, "shutdown")
  }

  sweep(): void {
    const { idleTimeToLive, leakThreshold, min } = this.limits
    for (const place of this.idle) {
      const isUnused = this.now >= place.usedAt + idleTimeToLive
      if (this.isOld(place)) this.closing(place, "lifetime")
      else if (isUnused && this.lasting.length > min) this.closing(place, "idle")
      else if (this.now >= this.checksAt(place)) this.validate(place)
    }
    for (const place of this.in("busy")) {
      if (place.isReported || this.now < place.takenAt + leakThreshold) continue
      place.isReported = true
      this.said.push(`Leak ${place.id}`)
    }
    this.supply()
  }

  private lend(place: Place): void {
    place.state = "busy"
    place.takenAt = this.now
    place.isReported = false
    place.uses++
  }

  private validate(place: Place): void {
    place.state = "validating"
    this.said.push(`Validate ${place.id}`)
  }

  private closing(place: Place, reason: string): void {
    place.ends ??= reason
    place.state = "closing"
    this.said.push(`Close ${place.id} ${place.ends}`)
  }

  private conclude(place: Place, reason: string): void {
    if (place.ends !== undefined) return
    place.ends = reason
    if (place.state === "idle") this.closing(place, reason)
    else if (place.state !== "busy") this.said.push(`Abort ${place.id}`)
  }

  private settle(place: Place): void {
    if (this.isOld(place)) place.ends ??= "lifetime"
    const [first] = this.waiters
    if (place.ends !== undefined) this.closing(place, place.ends)
    else if (first !== undefined && this.mayBeLent(place)) {
      this.waiters.shift()
      this.lend(place)
      this.said.push(`Lend ${place.id} to ${first}`)
    } else {
      place.state = "idle"
      place.restedAs = this.rested++
    }
    this.supply()
  }

  private supply(): void {
    if (this.isShut) return
    const { max, min } = this.limits
    while (this.waiters.length > this.coming.length) {
      const place = this.idle.at(-1)
      if (place === undefined) break
      if (this.isOld(place)) this.closing(place, "lifetime")
      else this.validate(place)
    }
    while (this.places.length < max && (this.waiters.length > this.coming.length || this.lasting.length < min)) {
      if (this.now < this.pausedUntil || (this.failures > 0 && this.in("opening").length > 0)) break
      const id = this.opened++
      this.said.push(`Open ${id}`)
      const never = { openedAt: 0, spread: 0, knownAt: 0, usedAt: 0, restedAs: 0, takenAt: 0, uses: 0 }
      this.places.push({ id, state: "opening", ends: undefined, isReported: false, ...never })
    }
  }
}
