/**
 * The shell commands that run a dnsmasq for one bridge, built from typed data: every value is checked against what
 * dnsmasq's files can hold, and quoted for the shell.
 */

import { isIP } from "node:net";

/** A machine that dnsmasq knows. */
export interface DnsmasqHost {
  name: string;
  address: string;
  macAddress: string;
}

export interface DnsmasqSettings {
  /** Folder of its files, absolute; made where it is missing. */
  folder: string;
  bridge: string;
  /** Undefined for the host's. */
  namespace: string | undefined;
  /** The bridge's own address, where it listens. */
  address: string;
  /** First address of the subnet. */
  network: string;
  netmask: string;
  /** Domain of the machines' names. */
  domain: string;
  leaseSeconds: number;
  /** Told to the machines, in bytes; undefined for nothing. */
  mtu: number | undefined;
  /** Resolvers that are asked for other names; undefined for those of the host. */
  upstream: readonly string[] | undefined;
  hosts: readonly DnsmasqHost[];
  /** Recorded beside the files once all is done (see dhcp.ts). */
  generation: string;
}

/** What a `command.local.Command` takes. `create` serves updates too: it brings about what is wanted, whatever is there. */
export interface DnsmasqCommands {
  create: string;
  delete: string;
  /** The machines; a command's own text has a limit (128 KiB, MAX_ARG_STRLEN of execve(2)). */
  stdin: string;
}

/** Names of the files in the folder. */
export const dnsmasqFiles = { pid: "pid", configuration: "dnsmasq.conf", generation: "generation" } as const;

/** Everything that lies in the folder; `NAME.new` besides while it is written. */
const files = [
  ...Object.values(dnsmasqFiles),
  ...["dhcp-hosts", "hosts", "leases", "log", "running", "start"],
];

/** Errors: a value that dnsmasq's files cannot hold. */
export function dnsmasqCommands(settings: DnsmasqSettings): DnsmasqCommands {
  checkDnsmasq(settings);
  const common = [
    "set -eu",
    "umask 022",
    // Debian keeps it where only root looks.
    "PATH=$PATH:/usr/sbin:/sbin",
    `folder=${quote(settings.folder)}`,
    commonFunctions,
  ];
  const { namespace, bridge, address } = settings;
  const place = namespace === undefined ? "" : `ip netns exec ${quote(namespace)}`;
  const create = [
    ...common,
    `bridge=${quote(bridge)}`,
    `where=${quote(namespace === undefined ? `bridge ${bridge}` : `bridge ${bridge} in namespace ${namespace}`)}`,
    `address=${quote(address)}`,
    `generation=${quote(settings.generation)}`,
    `in_place() { ${place} "$@"; }`,
    `configuration() { printf '%s\\n' ${configuration(settings).map(quote).join(" ")}; ${ownAccount}; }`,
    ensure,
  ];
  const remove = [...common, `files=${quote(files.join(" "))}`, removal];
  // With the domain: a bare `100`, `5m` or `ignore` would be taken for a lease time, or for a word of dnsmasq's own.
  const line = ({ macAddress, address, name }: DnsmasqHost) =>
    `${macAddress},${address},${name}.${settings.domain}\n`;
  const stdin = settings.hosts.map(line).join("");
  return { create: create.join("\n"), delete: remove.join("\n"), stdin };
}

/** Lines of dnsmasq.conf; see dnsmasq(8). */
function configuration(settings: DnsmasqSettings): string[] {
  const { folder, bridge, network, netmask, domain, leaseSeconds, mtu, upstream } = settings;
  return [
    "# Written by pulumi-tuntap; it is written again with the next change.",
    // This bridge alone: without the last two it would take port 53 of other addresses, of loopback at least.
    `interface=${bridge}`,
    "bind-interfaces",
    "except-interface=lo",
    `pid-file=${folder}/pid`,
    `log-facility=${folder}/log`,
    "no-hosts",
    `addn-hosts=${folder}/hosts`,
    `domain=${domain}`,
    "expand-hosts",
    `local=/${domain}/`,
    "domain-needed",
    "bogus-priv",
    ...(upstream === undefined ? [] : ["no-resolv", ...upstream.map((server) => `server=${server}`)]),
    // Known machines only, each with its own address.
    `dhcp-range=${network},static,${netmask},${leaseSeconds}`,
    `dhcp-hostsfile=${folder}/dhcp-hosts`,
    `dhcp-leasefile=${folder}/leases`,
    "dhcp-lease-max=1100",
    "dhcp-authoritative",
    // To others not even a refusal: they may have their address from a server beyond a tunnel.
    "dhcp-ignore=tag:!known",
    ...(mtu === undefined ? [] : [`dhcp-option=option:mtu,${mtu}`]),
  ];
}

/** Its own default may be nobody, and whatever else runs as nobody, a VM for one, could end it then. */
const ownAccount = "if id -u dnsmasq >/dev/null 2>&1; then echo user=dnsmasq; fi";

/**
 * A process is this folder's dnsmasq if that is its name and the folder's configuration one of its arguments: a pid
 * alone may be somebody else's by now. Where the file with the pid is lost, it is looked for.
 */
const commonFunctions = `say() { printf '%s\\n' "$*" >&2; }
need_root() {
  if [ "$(id -u)" != 0 ]; then
    say "$1 needs root; run it with sudo"
    exit 1
  fi
}
is_ours() {
  case $1 in '' | *[!0-9]*) return 1 ;; esac
  [ -r "/proc/$1/cmdline" ] || return 1
  tr '\\0' '\\n' 2>/dev/null <"/proc/$1/cmdline" | {
    read -r program || exit 1
    [ "\${program##*/}" = dnsmasq ] || exit 1
    grep -Fqx -e "--conf-file=$folder/dnsmasq.conf"
  }
}
ours() {
  if [ -r "$folder/pid" ]; then
    read -r pid <"$folder/pid" || pid=
    if is_ours "$pid"; then echo "$pid"; return; fi
  fi
  for found in $(grep -lzFx -e "--conf-file=$folder/dnsmasq.conf" /proc/[0-9]*/cmdline 2>/dev/null); do
    found=\${found#/proc/}
    found=\${found%/cmdline}
    if is_ours "$found"; then echo "$found"; return; fi
  done
  return 1
}
# The memory of a process, and with it its words, goes before its sockets do.
ends() {
  [ -r "/proc/$1/cmdline" ] && [ -z "$(tr -d '\\0' 2>/dev/null <"/proc/$1/cmdline")" ] &&
    ! grep -q '^State:.Z' "/proc/$1/status" 2>/dev/null
}
stop() {
  kill "$1" 2>/dev/null || :
  tries=0
  while is_ours "$1" || ends "$1"; do
    tries=$((tries + 1))
    if [ "$tries" = 100 ]; then kill -9 "$1" 2>/dev/null || :; fi
    if [ "$tries" = 150 ]; then say "dnsmasq (pid $1) does not end"; exit 1; fi
    sleep 0.1
  done
}
# While it starts there are two: the one that was called, and the one that stays.
stop_ours() {
  while pid=$(ours); do stop "$pid"; done
}`;

/**
 * What changed decides: another configuration, bridge, address or namespace, or a machine fewer, needs a new process;
 * more machines need a SIGHUP.
 */
const ensure = `if ! command -v dnsmasq >/dev/null; then
  say "dnsmasq is not installed; \\\`dhcp\\\` needs it (on Debian-like hosts: apt-get install dnsmasq-base)"
  exit 1
fi
need_root "\\\`dhcp\\\` (dnsmasq on $where)"
if ! index=$(in_place cat "/sys/class/net/$bridge/ifindex" 2>&1); then
  say "$where is not there: $index"
  exit 1
fi
mkdir -p -- "$folder"
# It is not root any more when it reads its files again.
each=$folder
while [ "$each" != / ]; do
  if [ -z "$(find "$each" -prune -perm -001)" ]; then
    say "$each is closed to the user that dnsmasq runs as; run \\\`chmod o+x\\\` on it, or choose another dhcp.stateDirectory"
    exit 1
  fi
  each=$(dirname -- "$each")
done
configuration >"$folder/dnsmasq.conf.new"
# Before the server that runs is touched.
if ! refused=$(dnsmasq --test "--conf-file=$folder/dnsmasq.conf.new" 2>&1); then
  say "dnsmasq does not take its configuration: $refused"
  exit 1
fi
cat >"$folder/dhcp-hosts.new"
while IFS=, read -r _ host name; do
  printf '%s %s\\n' "$host" "\${name%%.*}"
done <"$folder/dhcp-hosts.new" >"$folder/hosts.new"
# Who is not listed any more, or with another address, would keep name and address as long as the lease lasts.
if [ -e "$folder/dhcp-hosts" ] && grep -qFvx -f "$folder/dhcp-hosts.new" "$folder/dhcp-hosts"; then
  rm -f -- "$folder/running"
fi
mv -f -- "$folder/dhcp-hosts.new" "$folder/dhcp-hosts"
mv -f -- "$folder/hosts.new" "$folder/hosts"
{
  cat -- "$folder/dnsmasq.conf.new"
  printf '# on %s, address %s, ifindex %s, namespace %s\\n' "$where" "$address" "$index" "$(in_place stat -Lc %i /proc/self/ns/net)"
} >"$folder/running.new"
if pid=$(ours); then
  if cmp -s -- "$folder/running.new" "$folder/running"; then
    kill -HUP "$pid"
    rm -f -- "$folder/running.new" "$folder/dnsmasq.conf.new"
    echo "$pid" >"$folder/pid"
    printf '%s\\n' "$generation" >"$folder/generation"
    echo "dnsmasq (pid $pid) was told to read its machines again"
    exit
  fi
fi
stop_ours
rm -f -- "$folder/running" "$folder/pid"
mv -f -- "$folder/dnsmasq.conf.new" "$folder/dnsmasq.conf"
if [ -e "$folder/leases" ]; then
  while read -r end mac host rest; do
    if grep -qF -e "$mac,$host," "$folder/dhcp-hosts"; then
      printf '%s %s %s %s\\n' "$end" "$mac" "$host" "$rest"
    fi
  done <"$folder/leases" >"$folder/leases.new"
  mv -f -- "$folder/leases.new" "$folder/leases"
fi
# Its output goes to a file: a pipe that it kept open would have no end.
if ! in_place dnsmasq "--conf-file=$folder/dnsmasq.conf" </dev/null >"$folder/start" 2>&1; then
  say "dnsmasq does not start on $where: $(cat -- "$folder/start")"
  if grep -q 'in use' "$folder/start"; then
    say "it needs port 53 (UDP and TCP) of $address, and UDP port 67, for itself there; stop the other server, or declare no \\\`dhcp\\\`. Now listening:"
    in_place ss -Hlntup 'sport = :53 or sport = :67' >&2 2>/dev/null || :
  fi
  rm -f -- "$folder/running.new"
  exit 1
fi
mv -f -- "$folder/running.new" "$folder/running"
printf '%s\\n' "$generation" >"$folder/generation"
read -r pid <"$folder/pid"
echo "dnsmasq (pid $pid) serves $where"`;

const removal = `if [ -e "$folder" ] || ours >/dev/null; then need_root "ending the dnsmasq of $folder"; fi
stop_ours
for file in $files; do rm -f -- "$folder/$file" "$folder/$file.new"; done
# Others' files stay, and with them the folder.
rmdir -- "$folder" 2>/dev/null || :
rmdir /run/tuntap 2>/dev/null || :`;

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** What neither a file of dnsmasq nor a list in it takes for something else. */
const safe = {
  folder: /^\/[\w.+@/-]+$/,
  bridge: /^[\w.-]+$/,
  domain: /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/,
  host: /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/,
};

/** Errors: one of the given settings does not suit dnsmasq; what is undefined is not looked at. */
export function checkDnsmasq(given: Partial<DnsmasqSettings>): void {
  const refuse = (what: string, value: unknown, need: string): never => {
    throw new Error(`${what} ${JSON.stringify(value)} does not suit dnsmasq; ${need}.`);
  };
  const { folder, bridge, domain, leaseSeconds, upstream = [], hosts = [] } = given;
  if (bridge !== undefined && !safe.bridge.test(bridge)) {
    refuse("the bridge's name", bridge, "with `dhcp` it may hold letters, digits and ._- only");
  }
  if (folder !== undefined && !safe.folder.test(folder)) {
    refuse("dhcp.stateDirectory", folder, "give an absolute path of letters, digits and ._+@/-");
  }
  if (domain !== undefined && !safe.domain.test(domain)) {
    refuse("dhcp.domain", domain, 'give one as "lab.internal", in lower case');
  }
  if (leaseSeconds !== undefined && !isWholeNumber(leaseSeconds, 120, 0xfffffffe)) {
    refuse("dhcp.leaseSeconds", leaseSeconds, "give a whole number from 120 (two minutes) to 4294967294");
  }
  for (const server of upstream) {
    if (!isResolver(server)) {
      refuse("dhcp.upstream", server, "give addresses, with `#PORT` (1 to 65535) where it is not 53");
    }
  }
  for (const { name } of hosts) {
    if (!safe.host.test(name)) refuse("the VM name", name, "give a host name in lower case");
  }
}

/** `9.9.9.9`, `2620:fe::fe#53`, `fe80::1%eth0`. */
function isResolver(text: string): boolean {
  const [address = "", port = "53", ...more] = text.split("#");
  return (
    isIP(address) !== 0 && /^\d+$/.test(port) && isWholeNumber(Number(port), 1, 65535) && more.length === 0
  );
}

function isWholeNumber(value: number, least: number, most: number): boolean {
  return Number.isInteger(value) && value >= least && value <= most;
}
