/**
 * A rule for oxlint: a file has no clock, timers, randomness, promises or threads of its own.
 *
 * It lists the globals that are pure, and rejects all others. Effect's modules are allowed, except the members that run an effect
 * or use the world outside the current fiber. So that the rule can see this, a module must be used by its members' names; it may
 * be imported under any name.
 */
import type { RuleTester } from "oxlint/plugins-dev"

type Rule = Parameters<RuleTester["run"]>[1]

const globals = new Set([
  "AggregateError,Array,ArrayBuffer,BigInt,BigInt64Array,BigUint64Array,Boolean,DataView,Error,EvalError,Float32Array",
  "Float64Array,Infinity,Int16Array,Int32Array,Int8Array,Iterator,JSON,Map,Math,NaN,Number,Object,RangeError,RegExp,Set",
  "String,Symbol,SyntaxError,TextDecoder,TextEncoder,TypeError,URIError,URL,URLSearchParams,Uint16Array,Uint32Array",
  "Uint8Array,Uint8ClampedArray,WeakMap,WeakSet,decodeURIComponent,encodeURIComponent,isFinite,isNaN,parseFloat,parseInt",
  "structuredClone,undefined"
].flatMap((names) => names.split(",")))

/** Members that are refused, of globals and of Effect's modules alike. Such a global, too, is used by members' names. */
const members: Readonly<Record<string, RegExp>> = {
  Math: /^random$/,
  Array: /^fromAsync$/,
  "effect/Cron": /^(next|prev|sequence)$/,
  "effect/DateTime": /^now(AsDate)?Unsafe$/,
  "effect/Hash": /^random$/,
  "effect/Scheduler": /^MixedScheduler$/
}

/** Of any module: what leaves the fiber that asks. `runForkWith` stays in its context, and so in its simulation. */
const leaving = /[pP]romise|AsyncIterable|ReadableStream|^run(Fork|(Sync|Callback)(Exit)?(With)?)$/

const modules = /^effect\/(ManagedRuntime|Runtime|testing|internal)(\/|$)/

const isRefused = (of: string, member: string): boolean =>
  members[of]?.test(member) === true || (of.startsWith("effect/") && leaving.test(member))

/** Where a name stands for a type, or is a part of one. */
const types = new Set(["TSTypeReference", "TSTypeQuery", "TSQualifiedName", "TSInterfaceHeritage", "TSClassImplements"])

const advice = "cannot be simulated. Time comes from Clock, randomness from Random, and waiting from Effect"

type Context = Parameters<NonNullable<Rule["create"]>>[0]
type Visitor = ReturnType<NonNullable<Rule["create"]>>
type Node = Parameters<NonNullable<Visitor["MetaProperty"]>>[0]["parent"]
type Name = { readonly type: string; readonly name?: string; readonly value?: unknown }

const nameOf = ({ name, value }: Name): string => name ?? String(value)

const judge = (context: Context): Visitor => {
  const refuse = (node: Node, what: string) => context.report({ node, message: `${what} ${advice}` })

  /** One place where a module, or a global that is open in part, is named. */
  const use = (node: Node, of: string) => {
    const { parent } = node as Node & { readonly parent: Node }
    if (types.has(parent.type)) return
    if (parent.type !== "MemberExpression" || parent.object !== node) {
      return refuse(node, `${of} that is not used by a member's name`)
    }
    if (!parent.computed) {
      if (isRefused(of, parent.property.name)) refuse(parent, `${of}: ${parent.property.name}`)
    } else if (parent.property.type !== "Literal" || isRefused(of, String(parent.property.value))) {
      refuse(parent, `${of} by a computed name`)
    }
  }

  const from = (node: Node, source: string, names: ReadonlyArray<string>) => {
    if (modules.test(source)) refuse(node, source)
    for (const name of names) if (isRefused(source, name)) refuse(node, `${source}: ${name}`)
  }

  return {
    Program: () => {
      const { globalScope } = context.sourceCode.scopeManager
      const found = globalScope?.variables.filter(({ defs }) => defs.length === 0).flatMap((_) => _.references) ?? []
      for (const { identifier } of new Set([...found, ...globalScope?.through ?? []])) {
        const node: Node = identifier
        const { name } = identifier
        if (types.has((node as Node & { readonly parent: Node }).parent.type)) continue
        if (!globals.has(name)) refuse(node, name)
        else if (name in members) use(node, name)
      }
    },
    ImportDeclaration: (node) => {
      if (node.importKind === "type") return
      const source = node.source.value
      if (!node.specifiers.every((_) => _.type === "ImportSpecifier" && _.importKind === "type")) from(node, source, [])
      for (const specifier of node.specifiers) {
        if (specifier.type === "ImportSpecifier") {
          if (specifier.importKind !== "type") from(specifier, source, [nameOf(specifier.imported)])
        } else if (source.startsWith("effect/")) {
          for (const variable of context.sourceCode.getDeclaredVariables(specifier)) {
            for (const { identifier } of variable.references) use(identifier, source)
          }
        }
      }
    },
    ExportNamedDeclaration: (node) => {
      if (node.source === null || node.exportKind === "type") return
      from(node, node.source.value, node.specifiers.map(({ local }) => nameOf(local)))
    },
    ExportAllDeclaration: (node) => {
      if (node.source.value.startsWith("effect/")) refuse(node, `${node.source.value} as a whole`)
    },
    ImportExpression: (node) => refuse(node, "import()"),
    MetaProperty: (node) => refuse(node, "import.meta"),
    AwaitExpression: (node) => refuse(node, "await"),
    ForOfStatement: (node) => node.await && refuse(node, "for await"),
    VariableDeclaration: (node) => node.kind === "await using" && refuse(node, "await using"),
    FunctionDeclaration: (node) => node.async && refuse(node, "An async function"),
    FunctionExpression: (node) => node.async && refuse(node, "An async function"),
    ArrowFunctionExpression: (node) => node.async && refuse(node, "An async function")
  }
}

const plugin: { readonly meta: { readonly name: string }; readonly rules: { readonly pure: Rule } } = {
  meta: { name: "purity" },
  rules: { pure: { create: judge } }
}

export default plugin
