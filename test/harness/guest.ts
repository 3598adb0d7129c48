import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "./client";
import { guestKernel, packInitramfs } from "./guest-kernel";
import type { Lab } from "./lab";

/** Software emulation on a machine that does other things too; nothing is concluded from how long it takes. */
const patienceMilliseconds = 600_000;

/** The guest does what is typed, line by line. */
const init = `ip link set lo up
stty -echo -onlcr
echo "guest is ready"
while read -r number line; do
  echo "<$number"
  sh -c "$line" </dev/null 2>&1
  code=$?
  echo
  echo ">$number $code"
done
poweroff -f
`;

/** What udhcpc has done with what it was given. */
const dhcpScript = `#!/bin/sh
[ "$1" = bound ] || exit 0
ip addr add "$ip/$mask" dev "$interface"
[ -z "$mtu" ] || ip link set "$interface" mtu "$mtu"
ip route add default via "$router"
printf 'search %s\\nnameserver %s\\n' "$domain" "$dns" >/etc/resolv.conf
hostname "$hostname"
`;

/** A kernel and a file system for guests, readable by whoever runs them. */
export class GuestImage {
  readonly folder = mkdtempSync(join(tmpdir(), "tt-guest-"));
  readonly kernel = join(this.folder, "vmlinuz");
  readonly initramfs: string;

  constructor() {
    chmodSync(this.folder, 0o755);
    const kernel = guestKernel();
    copyFileSync(kernel.image, this.kernel);
    const root = join(this.folder, "root");
    mkdirSync(join(root, "etc"), { recursive: true });
    writeFileSync(join(root, "etc", "dhcp"), dhcpScript, { mode: 0o755 });
    this.initramfs = packInitramfs(kernel, root, ["virtio_pci", "virtio_net"], init);
  }

  close(): void {
    rmSync(this.folder, { recursive: true });
  }
}

/** Arguments of qemu for a network card on a tap. */
export function cardOn(tap: string, macAddress: string): string[] {
  const backend = `tap,id=net0,ifname=${tap},script=no,downscript=no,vhost=off`;
  return ["-netdev", backend, "-device", `virtio-net-pci,netdev=net0,mac=${macAddress}`];
}

/** A real Linux guest in qemu, emulated in software and run by somebody who is not root, with its card on a tap. */
export class Guest {
  private readonly client: Client;
  private number = 0;

  /** @param card arguments of qemu for its network card, as `cardOn` gives them. */
  constructor(lab: Lab, image: GuestImage, card: readonly string[]) {
    this.client = new Client(lab, [
      ..."qemu-system-x86_64 -accel tcg -m 128 -nodefaults -no-user-config -no-reboot".split(" "),
      ..."-display none -serial stdio".split(" "),
      ...["-kernel", image.kernel, "-initrd", image.initramfs, "-append", "console=ttyS0 quiet panic=-1"],
      ...card,
    ]);
  }

  /** Waits until it does what it is told. */
  async ready(): Promise<void> {
    await this.client.says("guest is ready", patienceMilliseconds);
  }

  /** Who runs it, as the kernel has it. */
  credentials(): ReturnType<Client["credentials"]> {
    return this.client.credentials();
  }

  /** Runs a line of shell inside, one at a time. */
  async attempt(line: string): Promise<{ code: number; output: string }> {
    this.number += 1;
    const { number } = this;
    this.client.type(`${number} ${line}`);
    const answer = new RegExp(`^<${number}\\r?\\n(.*?)\\r?\\n>${number} (\\d+)\\r?\\n`, "ms");
    await this.client.says(answer, patienceMilliseconds);
    const [, output = "", code] = answer.exec(this.client.printed) ?? [];
    return { code: Number(code), output };
  }

  /** Runs a line that must succeed, and gives what it printed. */
  async run(line: string): Promise<string> {
    const { code, output } = await this.attempt(line);
    if (code !== 0) throw new Error(`${line} ended with ${code} in the guest:\n${output}`);
    return output;
  }

  /** Asks for an address, as any machine does, and configures itself with what it is given. */
  async askForAddress(): Promise<void> {
    await this.run("ip link set eth0 up && udhcpc -i eth0 -n -q -t 30 -T 2 -O mtu -s /etc/dhcp");
  }

  async powerOff(): Promise<number | string> {
    this.client.type("0 poweroff -f");
    return this.client.ended();
  }
}
