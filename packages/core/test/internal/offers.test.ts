import { assert, describe, it } from "@effect/vitest"
import { Offers } from "../../src/internal/transport/offers.ts"

/** Offers that note who was asked. */
const make = () => {
  const offers = new Offers()
  const asked: Array<string> = []
  const add = (name: string, isSure: boolean) =>
    offers.add(() => {
      asked.push(name)
      return isSure
    })
  return { offers, asked, add }
}

describe("Offers", () => {
  it("are called from the oldest on, each once, until one surely gives up", () => {
    const { add, asked, offers } = make()
    add("a", false)
    add("b", true)
    add("c", true)
    offers.ask(0)
    assert.deepStrictEqual(asked, ["a", "b"])
    offers.ask(1)
    assert.deepStrictEqual(asked, ["a", "b", "c"])
    offers.ask(2)
    assert.deepStrictEqual(asked, ["a", "b", "c"])
  })

  it("are not called once they are withdrawn", () => {
    const { add, asked, offers } = make()
    const takeBack = add("a", true)
    add("b", true)
    takeBack()
    offers.ask(0)
    assert.deepStrictEqual(asked, ["b"])
  })

  it("are taken up as they are made, while a call waits without a connection that is sure to become free", () => {
    const { add, asked, offers } = make()
    offers.ask(0)
    offers.ask(1)
    add("a", true)
    add("b", false)
    add("c", true)
    add("d", true)
    assert.deepStrictEqual(asked, ["a", "b", "c"])
  })

  it("are left alone by a call that does not wait any more when the next one has to", () => {
    const { add, asked, offers } = make()
    offers.ask(0)
    // That one was served in another way, or has left.
    offers.ask(0)
    add("a", true)
    add("b", true)
    assert.deepStrictEqual(asked, ["a"])
  })
})
