import * as Cipher from "@clawback/core/Cipher"
import * as Credential from "@clawback/core/Credential"
import * as Erasure from "@clawback/core/Erasure"
import * as SubjectKeys from "@clawback/core/SubjectKeys"
import * as SubjectKeysSql from "@clawback/core/SubjectKeysSql"
import * as NodeCipher from "@clawback/node/NodeCipher"
import * as NodePostgres from "@clawback/node/NodePostgres"
import * as NodeSqlite from "@clawback/node/NodeSqlite"
import { assert, describe, it } from "@effect/vitest"
import { Cause, ConfigProvider, Context, Effect, Exit, Layer, Redacted } from "effect"
import { SqlClient } from "effect/sql"
import { createDecipheriv, randomBytes } from "node:crypto"
import { inspect } from "node:util"
import * as Postgres from "../../../test/support/postgres.ts"
import { ofBytes } from "../src/internal/cipher/keys.ts"
import { Key, maxUses, seal } from "../src/internal/cipher/sealed.ts"

const newKey = () => Redacted.make(randomBytes(32).toString("base64"))

const bytes = (text: string) => new TextEncoder().encode(text)

const cipher = (...keys: ReadonlyArray<NodeCipher.KeyOption>) =>
  Effect.map(Layer.build(NodeCipher.layer({ keys })), (context) => Context.get(context, Cipher.Cipher))

const reason = <A, R>(effect: Effect.Effect<A, Cipher.DecryptFailed, R>) =>
  Effect.map(Effect.flip(effect), ({ reason }) => reason)

const secret = "the patient has a secret"

describe("NodeCipher", () => {
  it.effect("gives back what was encrypted, and never the same bytes twice", () =>
    Effect.gen(function*() {
      const { decrypt, encrypt } = yield* cipher({ id: "a", key: newKey() })
      for (const plain of [new Uint8Array(0), bytes(secret), randomBytes(100_000)]) {
        const [one, two] = [yield* encrypt(plain, bytes("c42")), yield* encrypt(plain, bytes("c42"))]
        assert.notDeepEqual(one, two)
        assert.strictEqual(one.length, 2 + 1 + 12 + plain.length + 16)
        assert.deepStrictEqual(yield* decrypt(one, bytes("c42")), new Uint8Array(plain))
        assert.isFalse(Buffer.from(one).includes(secret))
      }
    }))

  it.effect("is AES-256-GCM, as another program reads it", () =>
    Effect.gen(function*() {
      const key = newKey()
      const { encrypt } = yield* cipher({ id: "key", key })
      const sealed = Buffer.from(yield* encrypt(bytes(secret), bytes("place")))
      const decipher = createDecipheriv(
        "aes-256-gcm",
        Buffer.from(Redacted.value(key), "base64"),
        sealed.subarray(5, 17)
      )
      decipher.setAAD(Buffer.concat([Buffer.of(1, 3), Buffer.from("keyplace")])).setAuthTag(sealed.subarray(-16))
      assert.strictEqual(decipher.update(sealed.subarray(17, -16)).toString() + decipher.final().toString(), secret)
    }))

  it.effect("decrypts nothing that was changed, cut, or belongs elsewhere", () =>
    Effect.gen(function*() {
      const { decrypt, encrypt } = yield* cipher({ id: "a", key: newKey() })
      const sealed = yield* encrypt(bytes(secret), bytes("c42"))
      for (let at = 0; at < sealed.length; at++) {
        const changed = sealed.with(at, (sealed[at] ?? 0) ^ 1)
        assert.include(["Malformed", "UnknownKey", "Rejected"], yield* reason(decrypt(changed, bytes("c42"))))
      }
      for (let length = 0; length < sealed.length; length++) {
        assert.include(["Malformed", "Rejected"], yield* reason(decrypt(sealed.subarray(0, length), bytes("c42"))))
      }
      assert.strictEqual(yield* reason(decrypt(sealed, bytes("c43"))), "Rejected")
      // The boundary between the header and the associated data is authenticated too.
      assert.strictEqual(yield* reason(decrypt(sealed, bytes(""))), "Rejected")
      const other = yield* cipher({ id: "a", key: newKey() })
      assert.strictEqual(yield* reason(other.decrypt(sealed, bytes("c42"))), "Rejected")
    }))

  it.effect("reads older keys after a rotation, until they are removed", () =>
    Effect.gen(function*() {
      const [first, second] = [{ id: "2025", key: newKey() }, { id: "2026", key: newKey() }]
      const before = yield* cipher(first)
      const sealed = yield* before.encrypt(bytes(secret), bytes(""))
      const after = yield* cipher(second, first)
      assert.deepStrictEqual(yield* after.decrypt(sealed, bytes("")), bytes(secret))
      const renewed = yield* after.encrypt(bytes(secret), bytes(""))
      const removed = yield* cipher(second)
      assert.deepStrictEqual(yield* removed.decrypt(renewed, bytes("")), bytes(secret))
      const error = yield* Effect.flip(removed.decrypt(sealed, bytes("")))
      assert.deepInclude(error, { reason: "UnknownKey", key: "2025" })
    }))

  it.effect("encrypts texts as text", () =>
    Effect.gen(function*() {
      const sealed = yield* Cipher.encryptText("grüße 🎉", "c42")
      assert.match(sealed, /^[\w-]+$/)
      assert.strictEqual(yield* Cipher.decryptText(sealed, "c42"), "grüße 🎉")
      assert.strictEqual(yield* reason(Cipher.decryptText("no!", "c42")), "Malformed")
    }).pipe(Effect.provide(NodeCipher.layer({ keys: [{ id: "a", key: newKey() }] }))))

  it("encrypts no more with one key than is safe", () => {
    const key = ofBytes("a", randomBytes(32))
    key.uses = maxUses - 1
    seal(key, bytes(secret), bytes(""))
    assert.throws(() => seal(key, bytes(secret), bytes("")), /2\^32 texts/)
    assert.instanceOf(key, Key)
  })

  it.effect("shows neither texts nor keys", () =>
    Effect.gen(function*() {
      const key = newKey()
      const own = yield* cipher({ id: "a", key })
      const sealed = yield* own.encrypt(bytes(secret), bytes("c42"))
      const errors = [
        yield* Effect.flip(own.decrypt(sealed, bytes("c43"))),
        yield* Effect.exit(cipher({ id: "a", key: Redacted.make(Redacted.value(key).slice(4)) })),
        own,
        ofBytes("a", Buffer.from(Redacted.value(key), "base64"))
      ]
      const shown = inspect(errors, { depth: 9, showHidden: true })
      assert.notInclude(shown, secret)
      assert.notInclude(shown, Redacted.value(key).slice(4, 30))
      assert.notInclude(shown, [...Buffer.from(Redacted.value(key), "base64")].slice(0, 8).join(", "))
    }))

  it.effect.each<[string, any]>([
    ["keys", { keys: [] }],
    ["keys.id", { keys: [{ id: "a b", key: newKey() }] }],
    ["keys", { keys: [{ id: "a", key: newKey() }, { id: "a", key: newKey() }] }],
    ["keys", { keys: [{ id: "a", key: randomBytes(32).toString("base64") }] }],
    ["keys.a", { keys: [{ id: "a", key: Redacted.make(randomBytes(16).toString("base64")) }] }],
    ["keys.a", { keys: [{ id: "a", key: Redacted.make("no base64 but long enough for 32 bytes!!!!!") }] }],
    ["options", { key: newKey() }]
  ])("a wrong `%s` is a RangeError that names it", ([name, options]) =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(Effect.scoped(Layer.build(NodeCipher.layer(options))))
      assert(Exit.isFailure(exit))
      const error = Cause.squash(exit.cause)
      assert.instanceOf(error, RangeError)
      assert.include(error.message, `The option \`${name}\``)
    }))

  it.effect("takes keys from credentials", () =>
    Effect.gen(function*() {
      const key = newKey()
      const fromConfig = yield* cipher({ id: "a", key: Credential.config("KEY") }).pipe(
        Effect.provide(ConfigProvider.layer(ConfigProvider.fromUnknown({ KEY: Redacted.value(key) })))
      )
      const own = yield* cipher({ id: "a", key })
      const sealed = yield* own.encrypt(bytes(secret), bytes(""))
      assert.deepStrictEqual(yield* fromConfig.decrypt(sealed, bytes("")), bytes(secret))
    }))
})

const sqlite = Layer.provideMerge(SubjectKeysSql.layer(), NodeSqlite.layer({ file: ":memory:" }))

const postgres = Layer.unwrap(Effect.gen(function*() {
  const { host, port, user } = yield* Postgres.available
  const database = yield* Postgres.database({ host, port, user })
  return Layer.provide(SubjectKeysSql.layer(), NodePostgres.layer({ host, port, user, database }))
}))

const stores: ReadonlyArray<[string, boolean, Layer.Layer<SubjectKeys.SubjectKeys, any>]> = [
  ["memory", true, SubjectKeys.layerMemory],
  ["SQLite", true, sqlite],
  ["PostgreSQL", Postgres.isAvailable, postgres]
]

describe.each(stores)("the keys of subjects in %s", (_, isAvailable, store) => {
  const master = NodeCipher.layer({ keys: [{ id: "master", key: newKey() }] })
  const within = <A, E>(
    effect: Effect.Effect<A, E, NodeCipher.SubjectCiphers | SubjectKeys.SubjectKeys | Cipher.Cipher>
  ) =>
    effect.pipe(
      Effect.provide(
        NodeCipher.layerSubjects.pipe(Layer.provideMerge(Layer.merge(master, store)), Layer.provideMerge(Erasure.layer))
      )
    )

  it.live.skipIf(!isAvailable)("are made once, and are the same for everybody", () =>
    within(Effect.gen(function*() {
      const keys = yield* SubjectKeys.SubjectKeys
      assert.strictEqual(yield* keys.get("ann"), undefined)
      const made = yield* Effect.forEach(
        Array.from({ length: 10 }, (_, n) => `key ${n}`),
        (fresh) => keys.getOrCreate("ann", fresh),
        { concurrency: 5 }
      )
      assert.lengthOf(new Set(made), 1)
      assert.strictEqual(yield* keys.get("ann"), made[0])
      assert.isTrue(yield* keys.destroy("ann"))
      assert.isFalse(yield* keys.destroy("ann"))
      assert.strictEqual(yield* keys.get("ann"), undefined)
    })))

  it.live.skipIf(!isAvailable)(
    "decrypt texts of their subject, until they are destroyed",
    () =>
      within(Effect.gen(function*() {
        const ciphers = yield* NodeCipher.SubjectCiphers
        const [ann, bob] = [ciphers.of("ann"), ciphers.of("bob")]
        const place = bytes("c42")
        const [ofAnn, ofBob] = [yield* ann.encrypt(bytes(secret), place), yield* bob.encrypt(bytes(secret), place)]
        assert.deepStrictEqual(yield* ann.decrypt(ofAnn, place), bytes(secret))
        assert.deepStrictEqual(yield* ciphers.of("ann").decrypt(ofAnn, place), bytes(secret))
        assert.strictEqual(yield* reason(bob.decrypt(ofAnn, place)), "KeyDestroyed")
        assert.strictEqual(yield* reason(ann.decrypt(ofAnn, bytes("c43"))), "Rejected")

        const { erased } = yield* Erasure.erase("ann")
        assert.deepStrictEqual(erased.map(({ count }) => count), [1])
        assert.strictEqual(yield* reason(ann.decrypt(ofAnn, place)), "KeyDestroyed")
        const again = yield* ann.encrypt(bytes("new"), place)
        assert.deepStrictEqual(yield* ann.decrypt(again, place), bytes("new"))
        assert.strictEqual(yield* reason(ann.decrypt(ofAnn, place)), "KeyDestroyed")
        assert.deepStrictEqual(yield* bob.decrypt(ofBob, place), bytes(secret))
      }))
  )

  it.live.skipIf(!isAvailable)("are kept encrypted, each for its subject", () =>
    within(Effect.gen(function*() {
      const ciphers = yield* NodeCipher.SubjectCiphers
      const keys = yield* SubjectKeys.SubjectKeys
      const sealed = yield* ciphers.of("ann").encrypt(bytes(secret), bytes(""))
      const kept = yield* keys.get("ann")
      assert(kept !== undefined)
      yield* keys.getOrCreate("eve", kept)
      const stolen = yield* Effect.flip(ciphers.of("eve").decrypt(sealed, bytes("")))
      assert.strictEqual(stolen.reason, "KeyUnavailable")
      const master = yield* Cipher.Cipher
      assert.strictEqual(
        yield* reason(master.decrypt(new Uint8Array(Buffer.from(kept, "base64url")), bytes(""))),
        "Rejected"
      )
    })))
})

it.effect("keys of subjects that cannot be read are an error that says so", () =>
  Effect.gen(function*() {
    const context = yield* Layer.build(sqlite)
    yield* Context.get(context, SqlClient.SqlClient)`DROP TABLE clawback_subject_keys`
    const error = yield* Effect.flip(Context.get(context, SubjectKeys.SubjectKeys).get("ann"))
    assert.strictEqual(error._tag, "SubjectKeysUnavailable")
  }))
