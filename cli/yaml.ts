/** js-yaml, loaded on first use; it is what Pulumi itself reads its files with. */
interface Yaml {
  load(text: string, options?: { filename?: string; schema?: unknown }): unknown;
  JSON_SCHEMA: unknown;
}

export function parseYaml(text: string, filename: string): unknown {
  const yaml = require("js-yaml") as Yaml;
  return yaml.load(text, { filename, schema: yaml.JSON_SCHEMA });
}
