/** The length of texts in UTF-8, without encoding them. */

const lengthOf = (text: string): number => {
  let bytes = text.length
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code < 0x80) continue
    // A surrogate pair is two units and four bytes. Encoders write a lone surrogate as U+FFFD, which has three.
    const isPair = code >= 0xd800 && code < 0xdc00 && text.charCodeAt(i + 1) >= 0xdc00 &&
      text.charCodeAt(i + 1) < 0xe000
    bytes += code < 0x800 ? 1 : 2
    if (isPair) i++
  }
  return bytes
}

export const utf8Length = (...texts: ReadonlyArray<string>): number =>
  texts.reduce((sum, text) => sum + lengthOf(text), 0)
