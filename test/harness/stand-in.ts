import type { Lab } from "./lab";

/** TUNSETIFF with IFF_TAP, IFF_NO_PI and IFF_VNET_HDR, as Firecracker opens its interface (linux/if_tun.h). */
const flags = 0x5002;

/** A name in /run/netns as a namespace file. */
const namespaceFile = (lab: Lab) => `/run/netns/${lab.name}`;

/**
 * Attaches to a TAP as a virtual machine's program would, as its owner and without privilege, and passes the frames to
 * `eth0` of a guest: a namespace with the addresses and the MAC address that the machine would have. Both ends keep
 * the header that comes before each frame (struct virtio_net_hdr).
 * It ends with the host's lab at the latest.
 * @throws with what the kernel said, where it is refused.
 */
export async function startStandIn(
  host: Lab,
  guest: Lab,
  {
    tap,
    uid,
    mac,
    address,
    gateway,
  }: Record<"tap" | "mac" | "address" | "gateway", string> & { uid: number },
): Promise<{ end(): Promise<void> }> {
  const script = [
    "import ctypes, fcntl, os, select, struct, sys",
    "libc = ctypes.CDLL(None, use_errno=True)",
    // A descriptor belongs to the namespace in which it was opened.
    "outer = os.open('/dev/net/tun', os.O_RDWR)",
    `where = os.open('${namespaceFile(guest)}', os.O_RDONLY)`,
    "assert libc.setns(where, 0x40000000) == 0, os.strerror(ctypes.get_errno())",
    "inner = os.open('/dev/net/tun', os.O_RDWR)",
    `attach = lambda fd, name: fcntl.ioctl(fd, 0x400454ca, struct.pack('16sH22s', name, ${flags}, b''))`,
    "attach(inner, b'eth0')",
    `os.setgroups([]), os.setgid(65534), os.setuid(${uid})`,
    "try:",
    `  attach(outer, b'${tap}')`,
    "except OSError as error:",
    "  print('refused:', error.strerror, 'end', flush=True)",
    "  sys.exit(1)",
    "print('attached end', flush=True)",
    "while True:",
    "  for fd in select.select([inner, outer], [], [])[0]:",
    "    try:",
    "      os.write(outer if fd == inner else inner, os.read(fd, 70000))",
    // A frame for an end that is not up yet is lost, as on a wire.
    "    except OSError:",
    "      pass",
  ].join("\n");
  const child = await host.start("end", "python3", "-c", script);
  if (!child.printed.startsWith("attached")) throw new Error(child.printed);
  await guest.ip("link", "set", "eth0", "address", mac, "up");
  await guest.ip("addr", "add", address, "dev", "eth0");
  await guest.ip("route", "add", "default", "via", gateway);
  return { end: () => host.release(child) };
}
