/** The fragment that GitHub gives to a heading, from its Markdown. The docs site uses the same. */
export const fragment = (title: string): string =>
  title.toLowerCase().replace(/\[([^\]]*)\]\([^)]*\)/g, "$1").replace(/[^\p{L}\p{N} _-]/gu, "").replaceAll(" ", "-")
