/**
 * A state that processes of one machine share, in a folder of numbered files. The file with the highest number is the state.
 *
 * The next state is written to a file of its own and linked to the next number. That fails if another process was faster. A process
 * that was paused may link a number that was used and deleted long ago. So it looks at the folder afterwards, and believes in its
 * state only if that is the highest and the state that it was made from is still there.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { FileSystem } from "effect/FileSystem"
import * as Option from "effect/Option"
import type { PlatformError } from "effect/PlatformError"
import * as Random from "effect/Random"
import * as IdempotencyKey from "../retry/idempotencyKey.ts"

/** How old a file must be that a process wrote and did not link, so that the process is taken for dead. */
const oldest = 60_000

const temporary = "next-"

/** What a folder has. */
interface Listing {
  /** In ascending order. */
  readonly numbers: ReadonlyArray<number>
  readonly temporary: ReadonlyArray<string>
}

const isReason = (error: PlatformError, tag: "AlreadyExists" | "NotFound"): boolean => error.reason._tag === tag

const list = (fs: FileSystem, folder: string): Effect.Effect<Listing, PlatformError> =>
  Effect.map(fs.readDirectory(folder), (names) => ({
    numbers: names.filter((name) => /^\d+$/.test(name)).map(Number).toSorted((a, b) => a - b),
    temporary: names.filter((name) => name.startsWith(temporary))
  }))

const remove = (fs: FileSystem, folder: string, name: string | number): Effect.Effect<void> =>
  Effect.ignore(fs.remove(`${folder}/${name}`, { force: true }))

/** Removes files of processes that died before they linked them. One of a live process is written again. */
const sweep = (fs: FileSystem, folder: string, names: ReadonlyArray<string>): Effect.Effect<void> =>
  Effect.forEach(
    names,
    (name) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) =>
        Effect.flatMap(fs.stat(`${folder}/${name}`), ({ mtime }) =>
          Option.isSome(mtime) && now - mtime.value.getTime() > oldest ? remove(fs, folder, name) : Effect.void)).pipe(
          Effect.ignore
        ),
    { discard: true }
  )

/** Makes `text` the state after `base`. Returns false if another process was faster. */
const commit = Effect.fnUntraced(function*(fs: FileSystem, folder: string, base: number, text: string) {
  const name = `${temporary}${IdempotencyKey.make(yield* Random.Random)}`
  const next = base + 1
  const written = Effect.andThen(
    fs.writeFileString(`${folder}/${name}`, text, { flag: "wx", mode: 0o600 }),
    fs.link(`${folder}/${name}`, `${folder}/${next}`)
  ).pipe(
    Effect.as(true),
    Effect.catchIf(
      (error) => isReason(error, "AlreadyExists") || isReason(error, "NotFound"),
      () => Effect.succeed(false)
    ),
    Effect.ensuring(remove(fs, folder, name))
  )
  if (!(yield* written)) return false
  const after = yield* list(fs, folder)
  const isMade = after.numbers.at(-1) === next && (base === 0 || after.numbers.includes(base))
  if (isMade) {
    const done = after.numbers.filter((number) => number < base)
    yield* Effect.forEach(done, (number) => remove(fs, folder, number), { discard: true })
  } else if (after.numbers.at(-1) !== next) yield* remove(fs, folder, next)
  yield* sweep(fs, folder, after.temporary)
  return isMade
}, Effect.uninterruptible)

/** The state, and the number of its file. No number: there is none yet. */
const read = (fs: FileSystem, folder: string): Effect.Effect<readonly [number, string | undefined], PlatformError> =>
  Effect.flatMap(list(fs, folder), ({ numbers }) => {
    const base = numbers.at(-1)
    if (base === undefined) return Effect.succeed([0, undefined])
    return fs.readFileString(`${folder}/${base}`).pipe(
      Effect.map((text): readonly [number, string] => [base, text]),
      // It was replaced meanwhile.
      Effect.catchIf((error) => isReason(error, "NotFound"), () => read(fs, folder))
    )
  })

/**
 * Changes the state of a folder. `f` gets it as it is, and undefined if there is none. It returns the next one, or undefined to
 * leave it, and the answer.
 */
export const change = <A>(
  fs: FileSystem,
  folder: string,
  f: (text: string | undefined) => Effect.Effect<readonly [string | undefined, A]>
): Effect.Effect<A, PlatformError> => {
  const attempt: Effect.Effect<A, PlatformError> = Effect.flatMap(
    read(fs, folder),
    ([base, text]) =>
      Effect.flatMap(f(text), ([next, answer]) =>
        next === undefined
          ? Effect.succeed(answer)
          : Effect.flatMap(commit(fs, folder, base, next), (isMade) => isMade ? Effect.succeed(answer) : again))
  )
  const again = Effect.flatMap(Random.nextBetween(1, 10), (millis) => Effect.andThen(Effect.sleep(millis), attempt))
  return attempt
}
