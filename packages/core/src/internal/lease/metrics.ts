/** What is counted of the leases of one store. */
import type * as Context from "effect/Context"
import * as Instrument from "../../Instrument.ts"
import { Attribute } from "../metrics/attributes.ts"
import { leaseMetrics } from "../metrics/leaseMetrics.ts"

const stores = Instrument.bounded(Attribute.leaseStore, 16)

export type Outcome = "granted" | "busy" | "failed" | "interrupted"

/** For one lease, from its request to its end. */
export class LeaseMetrics {
  private readonly store: Instrument.Use

  constructor(name: string, context: Context.Context<never>) {
    this.store = Instrument.use(stores, { [Attribute.leaseStore]: name }, context)
  }

  requested(outcome: Outcome, waitedMillis: number): void {
    this.store.series(leaseMetrics.leaseRequests, { [Attribute.leaseOutcome]: outcome }).record(1)
    if (outcome === "granted") this.store.series(leaseMetrics.leaseWaitTime).record(waitedMillis / 1000)
    else this.end()
  }

  failedToRenew(): void {
    this.store.series(leaseMetrics.leaseRenewalFailures).record(1)
  }

  lost(reason: string): void {
    this.store.series(leaseMetrics.leaseLosses, { [Attribute.leaseLoss]: reason }).record(1)
  }

  end(): void {
    this.store.release()
  }
}
