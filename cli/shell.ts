import { textBytes } from "../provider/netlink/text";
import { unprintable } from "../provider/printable";

/** One word for a POSIX shell, the same bytes as the kernel has them. */
export function quote(value: string): string {
  // So since POSIX of 2024, and in bash, zsh and busybox long before.
  if (unprintable.test(value))
    return `$'${[...(textBytes(value) ?? Buffer.from(value))].map(octal).join("")}'`;
  return /^[\w@%+=:,./-]+$/.test(value) ? value : `'${value.replaceAll("'", `'\\''`)}'`;
}

function octal(byte: number): string {
  const character = String.fromCharCode(byte);
  return /[\w@%+=:,./ -]/.test(character) ? character : `\\${byte.toString(8).padStart(3, "0")}`;
}
