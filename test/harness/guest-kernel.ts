import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";

/** Debian's kernel for virtual machines. */
export interface GuestKernel {
  image: string;
  release: string;
  /** The folder in which `lib/modules` is. */
  folder: string;
}

export function guestKernel(): GuestKernel {
  const script = resolve(__dirname, "..", "guest-kernel.sh");
  const folder = execFileSync("sh", [script], { encoding: "utf8" }).trim();
  const [release = ""] = readdirSync(join(folder, "lib/modules"));
  return { image: join(folder, "vmlinuz"), release, folder };
}

/** What the first process of every guest begins with: tools, the kernel's file systems, and its modules. */
const beginning = `#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
echo 0 >/proc/sys/kernel/printk
/load
`;

/**
 * What a guest begins with, as a file for `-initrd`: busybox, modules with what they need, and its first process.
 * @param init what that process does when all of that is there, in shell.
 */
export function packInitramfs(
  kernel: GuestKernel,
  root: string,
  modules: readonly string[],
  init: string,
): string {
  for (const name of ["bin", "dev", "etc", "modules", "proc", "sys", "tmp"])
    mkdirSync(join(root, name), { recursive: true });
  const busybox = execFileSync("sh", ["-c", "command -v busybox"], { encoding: "utf8" }).trim();
  copyFileSync(busybox, join(root, "bin/busybox"));
  const depends = ["-d", kernel.folder, "-S", kernel.release, "--all", "--show-depends", ...modules];
  const shown = execFileSync("modprobe", depends, { encoding: "utf8" });
  const files = new Set([...shown.matchAll(/^insmod (\S+)/gm)].map(([, file]) => file as string));
  for (const file of files) copyFileSync(file, join(root, "modules", basename(file)));
  const loads = [...files].map((file) => `insmod /modules/${basename(file)} || poweroff -f\n`);
  writeFileSync(join(root, "load"), `#!/bin/sh\n${loads.join("")}`, { mode: 0o755 });
  writeFileSync(join(root, "init"), beginning + init, { mode: 0o755 });
  const initramfs = `${root}.initramfs`;
  execFileSync("sh", ["-c", `find . | cpio --quiet -o -H newc | gzip -1 >'${initramfs}'`], { cwd: root });
  return initramfs;
}
