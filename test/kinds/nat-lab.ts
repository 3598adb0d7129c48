import { beforeEach } from "vitest";
import { lab, useTunLab } from "./tun-lab";

/** One namespace for all tests of a file, without links and tables at the start of each. */
export function useNatLab(): void {
  useTunLab();
  beforeEach(() => lab.exec("nft", "flush", "ruleset"));
}

/** What nft shows of a table, a line a rule or chain, without indentation; none where there is no such table. */
export async function shownTable(name: string, where = lab): Promise<string[]> {
  const tables = await where.exec("nft", "list", "tables");
  if (!tables.split("\n").includes(`table inet ${name}`)) return [];
  const text = await where.exec("nft", "list", "table", "inet", name);
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && line !== "}");
}

/** Only its rules. */
export async function rules(name: string, where = lab): Promise<string[]> {
  return (await shownTable(name, where)).filter((line) => !/^(table|chain|type) /.test(line));
}

/** The leases that a table carries. */
export async function leasesOf(name: string): Promise<string[]> {
  return (await shownTable(name)).flatMap(
    (line) => /^chain (tuntap-\d+-[0-9a-f]{32}) \{$/.exec(line)?.[1] ?? [],
  );
}
