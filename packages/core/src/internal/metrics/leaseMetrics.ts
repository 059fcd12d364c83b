/** The metrics of leases. */
import { Attribute } from "./attributes.ts"
import { define } from "./model.ts"

const seconds = [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

export const leaseMetrics = {
  leaseRequests: define({
    kind: "counter",
    name: "clawback.lease.requests",
    unit: "{request}",
    description: "Leases that were asked for, by how that ended",
    labels: [Attribute.leaseStore, Attribute.leaseOutcome]
  }),
  leaseWaitTime: define({
    kind: "histogram",
    name: "clawback.lease.wait_time",
    unit: "s",
    description: "Time that a caller waited for a lease which it got",
    labels: [Attribute.leaseStore],
    boundaries: seconds
  }),
  leaseRenewalFailures: define({
    kind: "counter",
    name: "clawback.lease.renewal.failures",
    unit: "{failure}",
    description: "Renewals that failed and are tried again while there is time",
    labels: [Attribute.leaseStore]
  }),
  leaseLosses: define({
    kind: "counter",
    name: "clawback.lease.losses",
    unit: "{lease}",
    description: "Leases that were lost while they were held",
    labels: [Attribute.leaseStore, Attribute.leaseLoss]
  })
}
