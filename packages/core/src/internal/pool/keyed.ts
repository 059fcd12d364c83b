/** A pool for each key. The pool of a key is made when a caller borrows there, and dropped when nothing is left of it. */
import * as Effect from "effect/Effect"
import * as MutableHashMap from "effect/MutableHashMap"
import * as Option from "effect/Option"
import type { Info } from "../session/model.ts"
import * as Timers from "../time/timers.ts"
import { Core } from "./core.ts"
import type { State } from "./entry.ts"
import type { Environment } from "./environment.ts"
import type { Source } from "./loan.ts"
import type { Counted, PoolMetrics } from "./metrics.ts"
import type { Settings } from "./settings.ts"

/** The pool of one key. */
class Member<K, A, E> implements Timers.Timer {
  at = Infinity
  slot = Timers.unset
  readonly key: K
  readonly core: Core<A, E>
  private readonly keyed: Keyed<K, A, E>

  constructor(keyed: Keyed<K, A, E>, key: K, core: Core<A, E>) {
    this.keyed = keyed
    this.key = key
    this.core = core
  }

  fire(): void {
    this.keyed.tidy(this)
  }
}

export class Keyed<K, A, E> {
  readonly settings: Settings<A, E>
  readonly metrics: PoolMetrics
  readonly info: Info
  private readonly acquire: (key: K) => Effect.Effect<A, E>
  private readonly environment: Environment
  private readonly members = MutableHashMap.empty<K, Member<K, A, E>>()
  private isShut = false

  constructor(
    settings: Settings<A, E>,
    acquire: (key: K) => Effect.Effect<A, E>,
    environment: Environment,
    metrics: PoolMetrics
  ) {
    this.settings = settings
    this.acquire = acquire
    this.environment = environment
    this.metrics = metrics
    this.info = { kind: "borrow", name: settings.name }
  }

  get cores(): ReadonlyArray<Core<A, E>> {
    return Array.from(MutableHashMap.values(this.members), ({ core }) => core)
  }

  get keys(): ReadonlyArray<K> {
    return Array.from(MutableHashMap.keys(this.members))
  }

  /** The sums over all keys. */
  get machine(): Counted["machine"] {
    const { cores, settings: { limits: { max, min } } } = this
    const sum = (of: (core: Core<A, E>) => number) => cores.reduce((total, core) => total + of(core), 0)
    return {
      limits: { min, max: max * cores.length },
      total: sum(({ machine }) => machine.total),
      waiting: sum(({ machine }) => machine.waiting),
      count: (state: Exclude<State, "closed">) => sum(({ machine }) => machine.count(state))
    }
  }

  /** Where the callers of a key borrow. */
  at(key: K): Source<A, E> {
    // Not looked up here: the pool of the key may be dropped before the caller borrows.
    const coreOf = () => this.coreOf(key)
    const hasIdle = () => this.find(key)?.hasIdle === true
    return {
      info: this.info,
      get hasIdle() {
        return hasIdle()
      },
      get core() {
        return coreOf()
      }
    }
  }

  find(key: K): Core<A, E> | undefined {
    return Option.getOrUndefined(MutableHashMap.get(this.members, key))?.core
  }

  /** Makes no pool from now on. */
  shut(): void {
    this.isShut = true
  }

  /** Drops the pool of a key if nothing is left of it, or else later if it only remembers that connecting fails. */
  tidy(member: Member<K, A, E>): void {
    const { core, key } = member
    const { timers } = this.environment
    if (core.machine.isEmpty && core.now >= core.remembersUntil) {
      timers.clear(member)
      timers.clear(core)
      if (this.find(key) === core) MutableHashMap.remove(this.members, key)
    } else if (core.machine.isEmpty) {
      member.at = core.remembersUntil
      timers.set(member)
    }
  }

  private coreOf(key: K): Core<A, E> {
    const known = this.find(key)
    if (known !== undefined) return known
    const { acquire, environment, isShut, members, metrics, settings } = this
    const core = new Core<A, E>({ ...settings, acquire: Effect.suspend(() => acquire(key)) }, environment, metrics)
    if (isShut) core.shut()
    else {
      const member = new Member(this, key, core)
      MutableHashMap.set(members, key, member)
      core.watch(() => this.tidy(member))
    }
    return core
  }
}
