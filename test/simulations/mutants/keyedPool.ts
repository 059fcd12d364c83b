/** Mistakes in the pools of keys. Those in the pool of one key are in pool.ts. */
import type { Mutant } from "../../support/mutant.ts"

const module = "KeyedPool"
const keyedPool = "packages/core/src/KeyedPool.ts"
const keyed = "packages/core/src/internal/pool/keyed.ts"

export const mutants: ReadonlyArray<Mutant> = [
  {
    module,
    file: keyed,
    find: "      if (this.find(key) === core) MutableHashMap.remove(this.members, key)\n",
    replace: "",
    rule: "the pool of a key is dropped when nothing is left of it"
  },
  {
    module,
    file: keyed,
    find: "      core.watch(() => this.tidy(member))\n",
    replace: "",
    rule: "the pool of a key looks whether anything is left of it"
  },
  {
    module,
    file: keyed,
    find: "      timers.set(member)\n",
    replace: "",
    rule: "a key whose connects have failed is dropped after a while"
  },
  {
    module,
    file: keyed,
    find: "core.machine.isEmpty && core.now >= core.remembersUntil",
    replace: "core.machine.isEmpty",
    rule: "a key remembers for a while that connecting fails"
  },
  {
    module,
    file: keyed,
    find: "MutableHashMap.set(members, key, member)",
    replace: "MutableHashMap.set(members, 0 as K, member)",
    rule: "each key has one pool"
  },
  {
    module,
    file: keyed,
    find: "return Option.getOrUndefined(MutableHashMap.get(this.members, key))?.core",
    replace: "return this.cores[0]",
    rule: "an item of a key serves only that key"
  },
  {
    module,
    file: keyed,
    find: "    if (isShut) core.shut()\n    else {\n",
    replace: "    {\n",
    rule: "nothing is lent for a new key of pools that close"
  },
  {
    module,
    file: keyed,
    find: "    const coreOf = () => this.coreOf(key)\n",
    replace: "    const known = this.coreOf(key); const coreOf = () => known\n",
    rule: "a caller borrows from the pool that its key has at that moment"
  },
  {
    module,
    file: keyedPool,
    find: "    keyed.shut()\n",
    replace: "",
    rule: "pools that close make no pool for another key"
  },
  {
    module,
    file: keyedPool,
    find: "drainCore, { concurrency: \"unbounded\", discard: true }",
    replace: "drainCore, { concurrency: 1, discard: true }",
    rule: "the pools of all keys close at once"
  },
  {
    module,
    file: keyedPool,
    find: "    core?.perform(core.machine.refresh(core.now))\n",
    replace: "    core?.perform([])\n",
    rule: "what is lent for a key after its refresh was opened after it"
  },
  {
    module,
    file: keyedPool,
    find: "Effect.suspend(() => invalidateIn(self[TypeId].cores, item))",
    replace: "Effect.suspend(() => invalidateIn(self[TypeId].cores.slice(0, 1), item))",
    rule: "an item of any key can be invalidated"
  }
]
