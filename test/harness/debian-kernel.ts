import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type GuestKernel, guestKernel, packInitramfs } from "./guest-kernel";
import { until } from "./shell";

/** Where Debian has the program that shares a folder with a guest (virtio-fs): of qemu-system-common, then of its own. */
const sharers = ["/usr/lib/qemu/virtiofsd", "/usr/libexec/virtiofsd"];
const ready = "guest is ready";
const memory = "3G";

/** What cannot be shared is mounted anew; what is written stays in the guest. */
const init = (kernel: GuestKernel) => `mkdir /host /written /new
mount -t virtiofs -o ro host /host
mount -t tmpfs -o size=2g written /written
mkdir /written/upper /written/work
mount -t overlay -o lowerdir=/host,upperdir=/written/upper,workdir=/written/work root /new
mkdir -p /new/lib/modules/${kernel.release}
mount --bind '/host${kernel.folder}/lib/modules/${kernel.release}' /new/lib/modules/${kernel.release}
for folder in proc sys dev; do mount --move /$folder /new/$folder; done
mount -t tmpfs run /new/run
ln -s /proc/self/fd /new/dev/fd
for number in 0 1 2; do ln -s fd/$number /new/dev/$(echo stdin stdout stderr | cut -d ' ' -f $((number + 1))); done
exec switch_root /new /bin/sh -c '
ip link set lo up
stty -onlcr
echo "${ready}"
read -r line
sh -c "$line" </dev/null 2>&1
echo "ended with $?"
echo o >/proc/sysrq-trigger
sleep 60'
`;

/**
 * Runs a command of this host, as root, under Debian's kernel instead of the host's: in a guest that has the host's files
 * under it and keeps to itself what it writes. Software emulation, so a few times slower.
 * @returns undefined where the host's files cannot be shared: the program for that is missing.
 */
export async function underDebianKernel(
  command: string,
  milliseconds: number,
): Promise<{ code: number; output: string } | undefined> {
  const sharer = sharers.find((path) => existsSync(path));
  if (sharer === undefined) return undefined;
  const folder = mkdtempSync(join(tmpdir(), "tt-debian-"));
  const socket = join(folder, "socket");
  const kernel = guestKernel();
  mkdirSync(join(folder, "root"));
  const modules = ["virtio_pci", "virtiofs", "overlay"];
  const initramfs = packInitramfs(kernel, join(folder, "root"), modules, init(kernel));
  const share = spawn(
    sharer,
    [`--socket-path=${socket}`, ..."-o source=/ -o cache=always -o sandbox=chroot".split(" ")],
    { stdio: "ignore" },
  );
  try {
    await until("the host's files are shared", () => existsSync(socket));
    return await boot(kernel, initramfs, socket, command, milliseconds);
  } finally {
    share.kill();
    rmSync(folder, { recursive: true });
  }
}

function boot(
  kernel: GuestKernel,
  initramfs: string,
  socket: string,
  command: string,
  milliseconds: number,
): Promise<{ code: number; output: string }> {
  const qemu = spawn(
    "qemu-system-x86_64",
    [
      ..."-accel tcg,thread=multi -smp 2 -nodefaults -no-user-config -no-reboot -display none".split(" "),
      ...`-serial stdio -m ${memory} -numa node,memdev=mem`.split(" "),
      ...["-object", `memory-backend-memfd,id=mem,size=${memory},share=on`],
      ...["-kernel", kernel.image, "-initrd", initramfs, "-append", "console=ttyS0 quiet panic=-1"],
      ...[
        "-chardev",
        `socket,id=files,path=${socket}`,
        "-device",
        "vhost-user-fs-pci,chardev=files,tag=host",
      ],
    ],
    { stdio: ["pipe", "pipe", "pipe"] },
  );
  let printed = "";
  let told = false;
  const take = (data: Buffer) => {
    printed += data;
    if (told || !printed.includes(ready)) return;
    told = true;
    qemu.stdin.write(`${command}\n`);
  };
  qemu.stdout.on("data", take);
  qemu.stderr.on("data", take);
  const end = setTimeout(() => qemu.kill(), milliseconds);
  return new Promise((resolve, reject) => {
    qemu.once("error", reject);
    qemu.once("close", () => {
      clearTimeout(end);
      const ended = /^ended with (\d+)\r?$/m.exec(printed);
      if (ended) resolve({ code: Number(ended[1]), output: printed.slice(0, ended.index) });
      else reject(new Error(`the guest did not come to the end:\n${printed}`));
    });
  });
}
