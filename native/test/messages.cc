#include "messages.h"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include <cstring>
#include <functional>

#include "check.h"

namespace tuntap::test {
namespace {

Bytes link_message(uint16_t type, uint16_t flags, int index) {
  Bytes message(NLMSG_LENGTH(sizeof(ifinfomsg)));
  const nlmsghdr header{static_cast<uint32_t>(message.size()), type, flags, 0, 0};
  std::memcpy(message.data(), &header, sizeof header);
  set_link_index(message, index);
  return message;
}

void append(Bytes& message, uint16_t type, const void* payload, size_t size) {
  const size_t at = message.size();
  message.resize(at + RTA_SPACE(size));
  const rtattr attribute{static_cast<uint16_t>(RTA_LENGTH(size)), type};
  std::memcpy(&message[at], &attribute, sizeof attribute);
  std::memcpy(&message[at + RTA_LENGTH(0)], payload, size);
  const auto length = static_cast<uint32_t>(message.size());
  std::memcpy(message.data(), &length, sizeof length);
}

void append(Bytes& message, uint16_t type, const std::string& text) {
  append(message, type, text.c_str(), text.size() + 1);
}

/// A nest whose one attribute is a string.
void append_nested(Bytes& message, uint16_t type, uint16_t inner, const std::string& text) {
  Bytes nest(RTA_SPACE(text.size() + 1));
  const rtattr attribute{static_cast<uint16_t>(RTA_LENGTH(text.size() + 1)), inner};
  std::memcpy(nest.data(), &attribute, sizeof attribute);
  std::memcpy(&nest[RTA_LENGTH(0)], text.data(), text.size());
  append(message, type | NLA_F_NESTED, nest.data(), nest.size());
}

using Visit = std::function<void(uint16_t type, const uint8_t* payload, size_t size)>;

void each_attribute(const uint8_t* at, const uint8_t* end, const Visit& visit) {
  while (at + sizeof(rtattr) <= end) {
    rtattr attribute;
    std::memcpy(&attribute, at, sizeof attribute);
    if (attribute.rta_len < sizeof(rtattr) || attribute.rta_len > end - at) return;
    visit(attribute.rta_type & NLA_TYPE_MASK, at + RTA_LENGTH(0), attribute.rta_len - RTA_LENGTH(0));
    at += RTA_ALIGN(attribute.rta_len);
  }
}

uint32_t u32(const uint8_t* from) {
  uint32_t value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

Link read_link(const uint8_t* message, size_t length, std::string& name) {
  Link link;
  link.index = static_cast<int>(u32(message + NLMSG_HDRLEN + 4));
  link.flags = u32(message + NLMSG_HDRLEN + offsetof(ifinfomsg, ifi_flags));
  each_attribute(
      message + NLMSG_LENGTH(sizeof(ifinfomsg)), message + length, [&](auto type, auto payload, auto size) {
        if (type == IFLA_IFNAME) name = reinterpret_cast<const char*>(payload);
        if (type == IFLA_MTU) link.mtu = u32(payload);
        if (type == IFLA_PROP_LIST) {
          each_attribute(payload, payload + size,
                         [&](auto, auto text, auto) { link.altname = reinterpret_cast<const char*>(text); });
        }
        if (type != IFLA_LINKINFO) return;
        std::string kind;
        each_attribute(payload, payload + size, [&](auto inner, auto info, auto info_size) {
          if (inner == IFLA_INFO_KIND) kind = reinterpret_cast<const char*>(info);
          if (inner != IFLA_INFO_DATA || kind != "tun") return;
          each_attribute(info, info + info_size, [&](auto field, auto value, auto) {
            if (field == IFLA_TUN_OWNER) link.owner = u32(value);
            if (field == IFLA_TUN_GROUP) link.group = u32(value);
            if (field == IFLA_TUN_PERSIST) link.persist = *value != 0;
            if (field == IFLA_TUN_PI) link.pi = *value != 0;
          });
        });
      });
  return link;
}

void each_link(const std::function<void(const std::string&, const Link&)>& visit) {
  const Dump dump = netlink_dump(get_links());
  for (size_t at = 0; at < dump.bytes.size();) {
    std::string name;
    const uint32_t length = u32(&dump.bytes[at]);
    const Link link = read_link(&dump.bytes[at], length, name);
    visit(name, link);
    at += NLMSG_ALIGN(length);
  }
}

}  // namespace

Bytes new_link(const std::string& kind, const std::string& name) {
  Bytes message = link_message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0);
  append(message, IFLA_IFNAME, name);
  append_nested(message, IFLA_LINKINFO, IFLA_INFO_KIND, kind);
  return message;
}

Bytes set_mtu(const std::string& name, uint32_t mtu) {
  Bytes message = link_message(RTM_NEWLINK, 0, 0);
  append(message, IFLA_IFNAME, name);
  append(message, IFLA_MTU, &mtu, sizeof mtu);
  return message;
}

Bytes set_up(int index) {
  Bytes message = touch_link(index);
  const uint32_t flags[] = {IFF_UP, IFF_UP};  // and which of them are meant
  std::memcpy(&message[NLMSG_HDRLEN + offsetof(ifinfomsg, ifi_flags)], flags, sizeof flags);
  return message;
}

Bytes rename_link(int index, const std::string& name) {
  Bytes message = touch_link(index);
  append(message, IFLA_IFNAME, name);
  return message;
}

Bytes touch_link(int index) { return link_message(RTM_NEWLINK, 0, index); }

Bytes delete_link(int index) { return link_message(RTM_DELLINK, 0, index); }

Bytes add_altname(int index, const std::string& name) {
  Bytes message = link_message(RTM_NEWLINKPROP, NLM_F_CREATE | NLM_F_EXCL, index);
  append_nested(message, IFLA_PROP_LIST, IFLA_ALT_IFNAME, name);
  return message;
}

void need_altnames() {
  // Where it is known, a link without an index is no link.
  if (netlink_request({add_altname(0, "x")}).front().number == EOPNOTSUPP) throw Skip{"no RTM_NEWLINKPROP"};
}

Bytes get_links() { return link_message(RTM_GETLINK, NLM_F_DUMP, 0); }

Link find_link(const std::string& name) {
  Link result;
  each_link([&](const std::string& found, const Link& link) {
    if (found == name) result = link;
  });
  return result;
}

int count_links() {
  int count = 0;
  each_link([&](const std::string&, const Link&) { ++count; });
  return count;
}

}  // namespace tuntap::test
