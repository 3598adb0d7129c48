/** Without the engine: our core beside the system calls in C, iproute2, and the tutorials' tools. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Lab } from "../test/harness/lab";
import { run } from "../test/harness/shell";
import { alternate, type Contender, type Measurements } from "./measure";
import { addressOf, deleteGroup, owner } from "./taps";

export const create = "create";
const checked = "no-op check";
export const unchanged = "no-op diff";
export const remove = "delete";
export const core = "core";
export const inC = "C";
export const batch = "ip -batch";
const tutorial = "tunctl + ifconfig";

/** Where the contenders work: a namespace, the compiled `taps`, and a folder for files. */
export interface Place {
  lab: Lab;
  program: string;
  folder: string;
}

export async function measureLinks(
  measurements: Measurements,
  place: Place,
  sizes: readonly number[],
  rounds: number,
): Promise<void> {
  for (const taps of sizes) {
    const contenders = [coreOf(place), cOf(place), batchOf(place), tutorialOf(place)];
    await alternate(
      measurements,
      contenders.map((contender) => witnessed(place.lab, contender)),
      taps,
      rounds,
    );
  }
}

/** The same for all: after `create` the interfaces are as they should be, and after `delete` none is left. */
function witnessed(lab: Lab, { name, works }: Contender): Contender {
  const check = async (work: string, taps: number) => {
    const links = await lab.links();
    const sound = links.filter(
      ({ flags, linkinfo }) =>
        flags.includes("UP") && linkinfo?.info_data?.user === "nobody" && linkinfo.info_data.persist,
    );
    const addresses = JSON.parse(await lab.ip("-j", "-4", "addr")) as { addr_info: unknown[] }[];
    const addressed = addresses.reduce((sum, { addr_info }) => sum + addr_info.length, 0) - 1;
    const expected = work === remove ? 0 : taps;
    if (links.length === expected && sound.length === expected && addressed === expected) return;
    throw new Error(
      `${name} after ${work}: ${links.length} interfaces, ${sound.length} up and owned, ${addressed} addresses`,
    );
  };
  return {
    name,
    works: works.map((work) => ({
      name: work.name,
      run: async (taps) => {
        const milliseconds = await work.run(taps);
        await check(work.name, taps);
        return milliseconds;
      },
    })),
  };
}

/** Each phase in a process of its own, as a run of the engine has its provider. */
function coreOf({ lab, folder }: Place): Contender {
  const state = join(folder, "state.json");
  const phase = (name: string) => async (taps: number) =>
    Number(await run(process.execPath, join(__dirname, "core.js"), name, lab.name, String(taps), state));
  return {
    name: core,
    works: [
      { name: create, run: phase("create") },
      { name: checked, run: phase("check") },
      { name: unchanged, run: phase("diff") },
      { name: remove, run: phase("remove") },
    ],
  };
}

function cOf({ lab, program }: Place): Contender {
  const taps = async (...args: (string | number)[]) => Number(await lab.exec(program, ...args.map(String)));
  return {
    name: inC,
    works: [
      { name: create, run: (count) => taps("create", count, owner) },
      { name: unchanged, run: () => taps("dump") },
      { name: remove, run: (count) => taps("delete", count) },
    ],
  };
}

/** A file of commands for a program, and how long the program takes over it. */
function script(place: Place, program: readonly string[], lines: string[]): Promise<number> {
  const file = join(place.folder, "script");
  writeFileSync(file, `${lines.join("\n")}\n`);
  return timed(place, ...program, file);
}

/** How long a command takes inside, in milliseconds. */
export async function timed({ lab, program }: Place, ...command: string[]): Promise<number> {
  return Number(await lab.exec(program, "time", ...command));
}

const forEach = (taps: number, commands: (name: string, number: number) => string[]) =>
  Array.from({ length: taps }, (_, number) => commands(`tap${number}`, number)).flat();

function batchOf(place: Place): Contender {
  const ip = (lines: string[]) => script(place, ["ip", "-batch"], lines);
  return {
    name: batch,
    works: [
      {
        name: create,
        run: (taps) =>
          ip([
            ...forEach(taps, (name) => [`tuntap add dev ${name} mode tap user ${owner}`]),
            ...forEach(taps, (name, number) => [
              `addr add ${addressOf(number)} broadcast + dev ${name}`,
              `link set ${name} up`,
            ]),
          ]),
      },
      // Printed once and compared with nothing: less than a script would need.
      { name: unchanged, run: () => timed(place, "ip", "-j", "-d", "addr", "show") },
      {
        name: remove,
        run: (taps) => ip(deleteGroup(forEach(taps, (name) => [name]))),
      },
    ],
  };
}

function tutorialOf(place: Place): Contender {
  const sh = (lines: string[]) => script(place, ["sh", "-e"], lines);
  return {
    name: tutorial,
    works: [
      {
        name: create,
        run: (taps) =>
          sh(
            forEach(taps, (name, number) => [
              `tunctl -u ${owner} -t ${name} >/dev/null`,
              `ifconfig ${name} ${addressOf(number).replace("/24", "")} netmask 255.255.255.0 up`,
            ]),
          ),
      },
      { name: unchanged, run: () => timed(place, "ifconfig", "-a") },
      { name: remove, run: (taps) => sh(forEach(taps, (name) => [`tunctl -d ${name} >/dev/null`])) },
    ],
  };
}
