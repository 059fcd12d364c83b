import { RequestReader } from "../../json/requestReader.ts"
import { protocol } from "./extras.ts"

export const read = new RequestReader(protocol)
