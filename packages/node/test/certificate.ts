/** A certificate that signed itself, made for one test run: X.509 v3 in DER, by RFC 5280. */
import { generateKeyPairSync, sign } from "node:crypto"

export interface Certificate {
  readonly key: string
  readonly cert: string
}

const node = (tag: number, ...parts: ReadonlyArray<Uint8Array>): Uint8Array => {
  const body = Buffer.concat(parts)
  const length = body.length < 0x80 ? [body.length] : [0x82, body.length >> 8, body.length & 0xff]
  return Buffer.concat([Uint8Array.of(tag, ...length), body])
}
const sequence = (...parts: ReadonlyArray<Uint8Array>) => node(0x30, ...parts)
const integer = (value: number) => node(0x02, Uint8Array.of(value))
const oid = (...bytes: ReadonlyArray<number>) => node(0x06, Uint8Array.from(bytes))
const bits = (bytes: Uint8Array) => node(0x03, Uint8Array.of(0), bytes)
const text = (tag: number, value: string) => node(tag, Buffer.from(value, "ascii"))

const ecdsaWithSha256 = sequence(oid(0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02))
const commonName = (name: string) => sequence(node(0x31, sequence(oid(0x55, 0x04, 0x03), text(0x0c, name))))
const subjectAlternativeName = (name: string) => sequence(oid(0x55, 0x1d, 0x11), node(0x04, sequence(text(0x82, name))))

/** For one host name. Good from 2000 to 2999. */
export const selfSigned = (host: string): Certificate => {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" })
  const validity = sequence(text(0x18, "20000101000000Z"), text(0x18, "29991231235959Z"))
  const toBeSigned = sequence(
    node(0xa0, integer(2)),
    integer(1),
    ecdsaWithSha256,
    commonName(host),
    validity,
    commonName(host),
    publicKey.export({ type: "spki", format: "der" }),
    node(0xa3, sequence(subjectAlternativeName(host)))
  )
  const signature = sign("sha256", toBeSigned, privateKey)
  const der = Buffer.from(sequence(toBeSigned, ecdsaWithSha256, bits(signature)))
  const lines = der.toString("base64").replaceAll(/.{64}/g, "$&\n")
  return {
    key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    cert: `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`
  }
}
