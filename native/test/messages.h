// The few netlink messages that the tests send, built by hand.
#pragma once

#include <string>

#include "netlink.h"

namespace tuntap::test {

/// RTM_NEWLINK that creates a link of a kind.
Bytes new_link(const std::string& kind, const std::string& name);
/// RTM_NEWLINK that sets the mtu of a link.
Bytes set_mtu(const std::string& name, uint32_t mtu);
/// RTM_NEWLINK that sets a link up.
Bytes set_up(int index);
/// RTM_NEWLINK that renames a link.
Bytes rename_link(int index, const std::string& name);
/// RTM_NEWLINK that says nothing of a link.
Bytes touch_link(int index);
Bytes delete_link(int index);
/// RTM_NEWLINKPROP that adds an alternative name.
Bytes add_altname(int index, const std::string& name);
/// Skips the test where RTM_NEWLINKPROP is unknown: before Linux 5.5, and under an emulator of another
/// machine.
void need_altnames();
Bytes get_links();

/// What a dump says of one link; index 0 if it is not there.
struct Link {
  int index = 0;
  uint32_t flags = 0;  ///< ifi_flags
  uint32_t mtu = 0;
  std::string altname;
  bool persist = false;
  bool pi = false;
  int64_t owner = -1;
  int64_t group = -1;
};
Link find_link(const std::string& name);
int count_links();

}  // namespace tuntap::test
