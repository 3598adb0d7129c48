import type { NamespaceName } from "../kernel/kernel";
import { readU32 } from "../netlink/bytes";
import { messageHeader, splitMessages } from "../netlink/message";

/** `ifi_index` and `ifa_index`: struct ifinfomsg and struct ifaddrmsg both have it at offset 4. */
const indexAt = messageHeader.size + 4;

interface Decoded<Value> {
  message: Buffer;
  value: Value | undefined;
}

/** By ifindex; a link has several addresses. */
type Decodings<Value> = Map<number, Decoded<Value>[]>;

/**
 * A decoder of dumps of links or addresses that decodes only the messages which differ from those of the last dump of the
 * same namespace: from one look to the next most stays as it is. What it gives must not be changed.
 * @param decode one message; undefined for one that does not count.
 */
export function decodingChanges<Value, Table>(
  decode: (message: Buffer) => Value | undefined,
  assemble: (values: Value[]) => Table,
): (bytes: Buffer, namespace: NamespaceName) => Table {
  const latest = new Map<NamespaceName, Decodings<Value>>();
  return (bytes, namespace) => {
    const before = latest.get(namespace);
    const now: Decodings<Value> = new Map();
    const values: Value[] = [];
    for (const message of splitMessages(bytes)) {
      const index = message.length >= indexAt + 4 ? readU32(message, indexAt) : 0;
      const same = before?.get(index)?.find((old) => isSame(old.message, message));
      const value = same ? same.value : decode(message);
      if (value !== undefined) values.push(value);
      // The new message, equal as it is: the old one would keep all of its dump in memory.
      const decoded = { message, value };
      const ofIndex = now.get(index);
      if (ofIndex) ofIndex.push(decoded);
      else now.set(index, [decoded]);
    }
    latest.set(namespace, now);
    return assemble(values);
  };
}

/** But for the header, which has the number of the request. */
function isSame(one: Buffer, other: Buffer): boolean {
  return (
    one.length === other.length &&
    one.compare(other, messageHeader.size, other.length, messageHeader.size, one.length) === 0
  );
}
