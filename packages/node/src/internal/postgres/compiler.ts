/** How statements are written for PostgreSQL. */
import * as Statement from "effect/sql/Statement"

const escape = Statement.defaultEscape("\"")

/** `transform` is applied to the names of tables and columns. */
export const make = (transform: ((name: string) => string) | undefined): Statement.Compiler =>
  Statement.makeCompiler({
    dialect: "pg",
    placeholder: (index) => `$${index}`,
    onIdentifier: transform === undefined
      ? escape
      : (name, withoutTransform) => escape(withoutTransform ? name : transform(name)),
    onRecordUpdate: (placeholders, alias, columns, values, returning) => [
      `(values ${placeholders}) AS ${alias}${columns}${returning === undefined ? "" : ` RETURNING ${returning[0]}`}`,
      returning === undefined ? values.flat() : [...values.flat(), ...returning[1]]
    ],
    onCustom: () => ["", []]
  })
