/** The stores that the proof of leases runs on, each as a layer that a process can build from a description. */
import * as LeaseStoreFile from "@clawback/core/LeaseStoreFile"
import * as LeaseStoreRedis from "@clawback/core/LeaseStoreRedis"
import * as LeaseStoreSql from "@clawback/core/LeaseStoreSql"
import * as NodePostgres from "@clawback/node/NodePostgres"
import * as NodeRedis from "@clawback/node/NodeRedis"
import { NodeServices } from "@effect/platform-node"
import { Layer } from "effect"

export type Backend =
  | { readonly name: "redis" | "postgres"; readonly port: number }
  | { readonly name: "file"; readonly folder: string }

export const storeLayer = (backend: Backend): Layer.Layer<never, unknown> => {
  switch (backend.name) {
    case "redis":
      return LeaseStoreRedis.layer().pipe(
        Layer.provide(NodeRedis.layer({ host: "127.0.0.1", port: backend.port }))
      )
    case "postgres":
      return LeaseStoreSql.layer().pipe(
        Layer.provide(NodePostgres.layer({
          host: "127.0.0.1",
          port: backend.port,
          user: "postgres",
          database: "postgres",
          max: 6,
          connectTimeout: "500 millis",
          cancelTimeout: "300 millis",
          statementTimeout: "3 seconds",
          validateBypass: "100 millis"
        }))
      )
    case "file":
      return LeaseStoreFile.layer({ folder: backend.folder }).pipe(Layer.provide(NodeServices.layer))
  }
}
