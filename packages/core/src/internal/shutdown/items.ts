/** The items of a report. */
import * as Duration from "effect/Duration"
import type { Snapshot } from "../../SessionRegistry.ts"
import { SessionRecord } from "../session/record.ts"
import * as Site from "../session/site.ts"
import type { Finalizer } from "./finalizer.ts"
import type { Admitted, Item } from "./model.ts"

export const ofFinalizer = ({ name, registeredAt, site }: Finalizer, now: number): Item => ({
  kind: "finalizer",
  name,
  id: undefined,
  age: Duration.millis(Math.max(0, now - registeredAt)),
  site: site === undefined ? site : Site.format(site)
})

export const ofSnapshot = ({ age, id, kind, name, owner }: Snapshot): Item => ({
  kind,
  name,
  id,
  age,
  site: owner.site
})

export const ofSession = ({ session }: Pick<Admitted, "session">, now: number): Item => ({
  kind: session.kind,
  name: session.name,
  id: session.id,
  age: Duration.millis(Math.max(0, now - session.openedAt)),
  site: session instanceof SessionRecord && session.site !== undefined ? Site.format(session.site) : undefined
})
