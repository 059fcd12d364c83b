/** Records what a registry emits about its sessions, to compare it with the results of revocations. */
import { SessionRegistry } from "@clawback/core"
import { Simulation } from "@clawback/testing"
import { Clock, Effect, Stream } from "effect"

interface Life {
  readonly parent: number | undefined
  revokedAt: number | undefined
  closedAt: number | undefined
}

export class Observed {
  private readonly lives = new Map<number, Life>()
  private readonly revocations: Array<{
    readonly filter: SessionRegistry.Filter
    readonly revoked: ReadonlyArray<SessionRegistry.Snapshot>
  }> = []

  /** Hears of every session that is opened from the moment at which this waits. */
  readonly listen = Stream.runForEach(SessionRegistry.changes, (change) => this.hear(change))

  private readonly hear = Effect.fnUntraced({ self: this }, function*(change: SessionRegistry.Change) {
    if (change._tag === "Missed") return
    const { id, parent } = change.session
    const now = yield* Clock.currentTimeMillis
    const life = this.lives.get(id)
    const isNext = change._tag === "Opened" ? life === undefined : life !== undefined && life.closedAt === undefined
    yield* Simulation.check("a session's changes come once, in order", isNext, () => JSON.stringify(change))
    if (change._tag === "Opened") this.lives.set(id, { parent, revokedAt: undefined, closedAt: undefined })
    else if (life !== undefined && change._tag === "Closed") life.closedAt = now
    else if (life !== undefined) life.revokedAt ??= now
  })

  /** When the last of these was closed; infinite for one of which that was not heard yet. */
  lastClosed(sessions: ReadonlyArray<SessionRegistry.Snapshot>): number {
    return Math.max(...sessions.map(({ id }) => this.lives.get(id)?.closedAt ?? Infinity))
  }

  /** Keeps what was revoked, to be judged when all is known. */
  note(filter: SessionRegistry.Filter, revoked: ReadonlyArray<SessionRegistry.Snapshot>) {
    this.revocations.push({ filter, revoked })
  }

  /** What must hold in the end, where what is revoked takes no longer than `patience` to close. */
  judge(patience: number) {
    const lives = [...this.lives.values()]
    return Effect.all([
      Simulation.check(
        "what is revoked ends, whoever asked for it",
        lives.every(({ closedAt = Infinity, revokedAt = Infinity }) =>
          revokedAt === Infinity || closedAt - revokedAt <= patience
        )
      ),
      Simulation.check("a session's end is told", lives.every(({ closedAt }) => closedAt !== undefined)),
      ...this.revocations.map(({ filter, revoked }) =>
        Simulation.check(
          "nothing else is taken",
          this.isAsked(filter, revoked),
          () => JSON.stringify({ filter, revoked })
        )
      )
    ], { discard: true })
  }

  /** Whether each matches by itself, or is inside of one that does. */
  private isAsked(filter: SessionRegistry.Filter, revoked: ReadonlyArray<SessionRegistry.Snapshot>): boolean {
    const ids = new Set(revoked.map(({ id }) => id))
    return revoked.every(({ id, kind, owner }) =>
      this.around(id).some((id) => ids.has(id) || id === filter.within) ||
      ((!("kind" in filter) || kind === filter.kind) && (!("id" in filter) || id === filter.id) &&
        (!("tenant" in filter) || owner.caller?.tenant === filter.tenant) &&
        (!("within" in filter) || id === filter.within))
    )
  }

  /** The sessions around one, closed or not. */
  private around(id: number): ReadonlyArray<number> {
    const parent = this.lives.get(id)?.parent
    return parent === undefined ? [] : [parent, ...this.around(parent)]
  }
}
