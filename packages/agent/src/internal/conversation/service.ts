/** Opens conversations: the writer's lease, the log, and its repair. */
import * as Caller from "@clawback/core/Caller"
import { ConversationBusy } from "@clawback/core/ConversationBusy"
import * as Lease from "@clawback/core/Lease"
import * as LeaseStore from "@clawback/core/LeaseStore"
import * as OptionCheck from "@clawback/core/OptionCheck"
import * as Session from "@clawback/core/Session"
import type { SessionError } from "@clawback/core/SessionError"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { StoreUnavailable } from "../store/errors.ts"
import type { ConversationStore } from "../store/port.ts"
import { Callers } from "./callers.ts"
import type { Unreadable } from "./errors.ts"
import { type Compacting, Open } from "./handle.ts"
import { complete, promptOf } from "./history.ts"
import type { Machine } from "./machine.ts"
import type { ChangeError, Conversation, Reading } from "./model.ts"
import type { Settings } from "./settings.ts"
import { machineOf, retried, Writer } from "./writer.ts"

/** Why a conversation could not be opened, or could not be kept open. */
export type OpenError = ChangeError | ConversationBusy | Lease.LeaseStoreError | SessionError

/** Under this key our own modules find the service. */
export const TypeId: unique symbol = Symbol.for("@clawback/agent/Conversation")

const named = (id: string): string => {
  if (OptionCheck.text("id", id) === "") throw OptionCheck.wrong("id", id, "a text that is not empty")
  return id
}

const infoOf = (id: string): Session.Info => ({ kind: "conversation", name: id })

export class Service {
  private readonly callers = new Callers()

  private readonly settings: Settings
  private readonly store: ConversationStore
  private readonly leases: LeaseStore.LeaseStore
  private readonly compacting: Compacting | undefined

  constructor(
    settings: Settings,
    store: ConversationStore,
    leases: LeaseStore.LeaseStore,
    compacting: Compacting | undefined
  ) {
    this.settings = settings
    this.store = store
    this.leases = leases
    this.compacting = compacting
  }

  private busy(id: string, retryAfter?: Lease.LeaseBusy["retryIn"]): ConversationBusy {
    return new ConversationBusy({ conversation: id, waiting: this.callers.waiting(id), retryAfter })
  }

  /** A place among the callers of this process. */
  private place(id: string) {
    return Effect.acquireRelease(
      Effect.suspend(() => {
        const place = this.callers.join(id, this.settings.maxWaiters)
        return place === undefined ? Effect.fail(this.busy(id)) : Effect.succeed(place)
      }),
      (place) => Effect.sync(() => place.leave())
    )
  }

  private leaseOf(id: string): Lease.Options {
    const { holder, leaseTtl: ttl, wait } = this.settings
    return { key: `conversation/${id}`, ttl, wait, holder }
  }

  /** Only the lease of the conversation: its work may use others. */
  private unlessBusy<A, E, R>(id: string, leased: Effect.Effect<A, E, R>) {
    const { key } = this.leaseOf(id)
    return Effect.mapError(
      leased,
      (error) =>
        error instanceof Lease.LeaseBusy && error.key === key
          ? this.busy(id, error.retryIn)
          : error as Exclude<E, Lease.LeaseBusy>
    )
  }

  /** The conversation that a lease lets its holder write, after what the writer before has left behind was ended. */
  private repaired(id: string, lease: Lease.Lease): Effect.Effect<Open, ChangeError> {
    return Effect.flatMap(Caller.Current, (caller) => {
      const writer = new Writer(id, this.store, this.settings, lease, caller?.subject)
      const open = new Open(writer, this.compacting)
      return Effect.as(open.repair, open)
    })
  }

  /** The conversation, and its lease, until the scope closes. */
  private acquired(id: string) {
    return Effect.flatMap(this.place(id), (place) =>
      this.unlessBusy(id, Lease.acquire(this.leaseOf(id))).pipe(
        Effect.provideService(LeaseStore.LeaseStore, this.leases),
        Effect.flatMap((lease) => {
          place.open()
          return Effect.map(this.repaired(id, lease), (open) => ({ lease, open }))
        })
      ))
  }

  use<A, E, R>(
    id: string,
    f: (conversation: Open) => Effect.Effect<A, E, R>
  ): Effect.Effect<A, Exclude<E, Lease.LeaseBusy> | OpenError, R> {
    return Effect.withFiber((fiber) => {
      const outside = Context.pick(LeaseStore.LeaseStore, Scope.Scope)(fiber.context as Context.Context<Scope.Scope>)
      const leased = (place: { readonly open: () => void }) =>
        Lease.use(this.leaseOf(id), (lease) => {
          place.open()
          return Effect.flatMap(this.repaired(id, lease), (open) =>
            Effect.updateContext(f(open), (inside: Context.Context<R>) => Context.merge(inside, outside)))
        })
      return Effect.flatMap(this.place(id), (place) => this.unlessBusy(id, leased(place))).pipe(
        Effect.provideService(LeaseStore.LeaseStore, this.leases),
        Session.scoped(infoOf(named(id))),
        Caller.provide({ conversation: id })
      ) as Effect.Effect<A, Exclude<E, Lease.LeaseBusy> | OpenError, R>
    })
  }

  useStream<A, E, R>(
    id: string,
    f: (conversation: Open) => Stream.Stream<A, E, R>
  ): Stream.Stream<A, E | OpenError, Exclude<R, Scope.Scope>> {
    return Stream.suspend(() =>
      Stream.unwrap(
        Effect.map(
          this.acquired(id),
          ({ lease, open }) => Stream.interruptWhen(f(open), Effect.flatMap(lease.lost, Effect.fail))
        )
      ).pipe(Session.scopedStream(infoOf(named(id))), Caller.provideStream({ conversation: id }))
    )
  }

  open(id: string): Effect.Effect<Conversation, OpenError, Scope.Scope> {
    return Effect.suspend(() =>
      Effect.map(
        Session.acquire(
          infoOf(named(id)),
          (restore) =>
            Effect.flatMap(Scope.make(), (scope) =>
              Effect.map(
                Effect.onError(restore(Scope.provide(this.acquired(id), scope)), () => Scope.close(scope, Exit.void)),
                ({ open }) => ({ open, scope })
              )),
          ({ scope }, exit) => Scope.close(scope, exit)
        ),
        ({ value: { open } }): Conversation => open
      ).pipe(Caller.provide({ conversation: id }))
    )
  }

  /** What the log of a conversation says. */
  machine(id: string): Effect.Effect<Machine, StoreUnavailable | Unreadable> {
    return Effect.flatMap(
      Effect.suspend(() => retried(this.store.load(named(id)), this.settings)),
      (loaded) => Effect.fromResult(machineOf(id, loaded))
    )
  }

  read(id: string): Effect.Effect<Reading, StoreUnavailable | Unreadable> {
    return Effect.map(this.machine(id), (machine) => ({
      history: promptOf(complete(machine)),
      calls: machine.openNow,
      position: machine.cursor
    }))
  }

  remove(id: string): Effect.Effect<boolean, StoreUnavailable> {
    return Effect.suspend(() => retried(this.store.remove(named(id)), this.settings))
  }
}
