/**
 * A portal: the rows of one statement, in batches. It lives until it is closed, or its transaction ends. Between two batches
 * the connection is ready for other statements.
 */
import Pg, { Result, type Submittable, types } from "pg"

/** What a portal uses of pg's connection. pg's types have other parameters there. */
interface Wire {
  readonly stream: { readonly cork: () => void; readonly uncork: () => void }
  readonly parse: (query: { readonly text: string }) => void
  readonly bind: (config: {
    readonly portal: string
    readonly values: ReadonlyArray<unknown>
    readonly valueMapper: (value: unknown) => unknown
  }) => void
  readonly describe: (message: { readonly type: "P"; readonly name: string }) => void
  readonly execute: (config: { readonly portal: string; readonly rows: number }) => void
  readonly close: (message: { readonly type: "P"; readonly name: string }) => void
  readonly sync: () => void
  readonly sendCopyFail: (message: string) => void
}

/** What pg's types leave out of its `Result`. */
interface Parser {
  readonly addFields: (fields: ReadonlyArray<unknown>) => void
  readonly parseRow: (values: ReadonlyArray<unknown>) => object
}

/** How pg turns a value into a parameter. Its types leave it out. */
const { prepareValue } = (Pg as unknown as { readonly utils: { readonly prepareValue: (value: unknown) => unknown } })
  .utils

/** Gets the result of one step, right before the connection is ready again. */
type Report<A> = (error: unknown, value?: A) => void

/** One step of a portal, as pg runs it. An error ends the step: the server then waits for the `Sync` that is already sent. */
class Step<A> {
  private readonly run: (wire: Wire) => void
  private readonly parser: Parser
  private readonly report: Report<A>
  private readonly result: () => A
  private readonly rows: Array<object>
  private readonly onComplete: () => void
  private wire: Wire | undefined
  private failure: { readonly error: unknown } | undefined

  constructor(options: {
    readonly run: (wire: Wire) => void
    readonly parser: Parser
    readonly rows: Array<object>
    readonly onComplete: () => void
    readonly result: () => A
    readonly report: Report<A>
  }) {
    this.run = options.run
    this.parser = options.parser
    this.rows = options.rows
    this.onComplete = options.onComplete
    this.result = options.result
    this.report = options.report
  }

  submit(connection: unknown): void {
    const wire = this.wire = connection as Wire
    wire.stream.cork()
    try {
      this.run(wire)
    } catch (error) {
      // A parameter that cannot be written.
      this.failure = { error }
    }
    wire.sync()
    wire.stream.uncork()
  }

  handleRowDescription({ fields }: { readonly fields: ReadonlyArray<unknown> }): void {
    this.parser.addFields(fields)
  }

  handleDataRow({ fields }: { readonly fields: ReadonlyArray<unknown> }): void {
    if (this.failure !== undefined) return
    try {
      this.rows.push(this.parser.parseRow(fields))
    } catch (error) {
      this.failure = { error }
    }
  }

  handlePortalSuspended(): void {}

  handleEmptyQuery(): void {
    this.onComplete()
  }

  handleCommandComplete(): void {
    this.onComplete()
  }

  handleCopyInResponse(): void {
    this.wire?.sendCopyFail("A stream has no rows to copy from")
    // While it waits for rows to copy, the server ignores the `Sync` that was sent before.
    this.wire?.sync()
  }

  handleCopyData(): void {}

  handleError(error: unknown): void {
    this.report(this.failure?.error ?? error)
  }

  handleReadyForQuery(): void {
    if (this.failure !== undefined) this.report(this.failure.error)
    else this.report(undefined, this.result())
  }
}

/** Some rows of a portal. `isLast` if there are no more. */
export interface Batch {
  readonly rows: ReadonlyArray<object>
  readonly isLast: boolean
}

/** Tells the portals of one connection apart. */
let lastPortal = 0

export class Portal {
  private readonly name = `clawback_${++lastPortal}`
  private readonly parser = new Result("", types) as unknown as Parser
  private readonly text: string
  private readonly values: ReadonlyArray<unknown>
  private readonly batchSize: number
  private isOpen = false

  constructor(text: string, values: ReadonlyArray<unknown>, batchSize: number) {
    this.text = text
    this.values = values
    this.batchSize = batchSize
  }

  /** The next rows. The first step also begins the statement. */
  next(report: Report<Batch>): Submittable {
    const { name, text, values } = this
    const rows: Array<object> = []
    let isLast = false
    const isFirst = !this.isOpen
    this.isOpen = true
    return new Step<Batch>({
      run: (wire) => {
        if (isFirst) {
          wire.parse({ text })
          wire.bind({ portal: name, values, valueMapper: prepareValue })
          wire.describe({ type: "P", name })
        }
        wire.execute({ portal: name, rows: this.batchSize })
      },
      parser: this.parser,
      rows,
      onComplete: () => {
        isLast = true
      },
      result: () => ({ rows, isLast }),
      report
    })
  }

  /** Frees what the server keeps for the portal. */
  close(report: Report<void>): Submittable {
    return new Step<void>({
      run: (wire) => wire.close({ type: "P", name: this.name }),
      parser: this.parser,
      rows: [],
      onComplete: () => {},
      result: () => {},
      report
    })
  }
}
