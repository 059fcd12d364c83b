interface Call {
  readonly id: string
  hasResult: boolean
}

/** Calls in order. Finding the first one without a result takes constant time on average, however many there are. */
class Calls {
  private readonly calls: Array<Call> = []
  private from = 0

  add(call: Call): void {
    this.calls.push(call)
  }

  first(): Call | undefined {
    while (this.calls[this.from]?.hasResult === true) this.from++
    return this.calls[this.from]
  }
}

/**
 * Pairs the calls of a history with their results where they have no ids. `function_call` never had one. Google's endpoint and
 * LM Studio send `"id":""`, and accept it back. A result without an id answers the first call of its name that has no result
 * yet, else the first call that has none.
 */
export class CallIds {
  private all = new Calls()
  private byName = new Map<string, Calls>()
  private byId = new Map<string, Call>()

  /** A new answer of the model begins. Calls of earlier answers get no results any more. */
  begin(): void {
    this.all = new Calls()
    this.byName = new Map()
    this.byId = new Map()
  }

  /** The id of a call: its own, else the one that is made up. */
  call(given: string | undefined, madeUp: string, name: string): string {
    const call: Call = { id: given === undefined || given === "" ? madeUp : given, hasResult: false }
    const named = this.byName.get(name) ?? new Calls()
    this.byName.set(name, named)
    named.add(call)
    this.all.add(call)
    this.byId.set(call.id, call)
    return call.id
  }

  /** The id of the call that a result answers. Undefined: the result has no id, and each call has a result. */
  result(given: string | undefined, name: string | undefined): string | undefined {
    const isGiven = given !== undefined && given !== ""
    const call = isGiven
      ? this.byId.get(given)
      : this.byName.get(name ?? "")?.first() ?? this.all.first()
    if (call !== undefined) call.hasResult = true
    return isGiven ? given : call?.id
  }
}
