/** Line width of this repository's sources. */
export const width = 110;

/** A doc comment of paragraphs and code blocks; one line where that fits. */
export function docComment(parts: readonly string[], indent = ""): string {
  const lines = parts.flatMap((part, index) => {
    const body = part.startsWith("```") ? part.split("\n") : wrap(part, width - indent.length - 3);
    return index === 0 ? body : ["", ...body];
  });
  const safe = lines.map((line) => line.replaceAll("*/", "*\\/"));
  const [only = ""] = safe;
  if (safe.length === 1 && only.length + indent.length + 7 <= width) return `${indent}/** ${only} */\n`;
  return `${indent}/**\n${safe.map((line) => `${indent} * ${line}`.trimEnd()).join("\n")}\n${indent} */\n`;
}

/** Breaks a paragraph at blanks. */
function wrap(paragraph: string, columns: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of paragraph.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > columns) {
      lines.push(line);
      line = "";
    }
    line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

/** A fenced block of TypeScript. */
export function fenced(code: string): string {
  return `\`\`\`ts\n${code}\n\`\`\``;
}

/** A Markdown table; cells may hold anything but line breaks. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}
