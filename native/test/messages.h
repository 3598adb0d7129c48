// The few netlink messages that the tests send, built by hand.
#pragma once

#include <string>

#include "netlink.h"

namespace tuntap::test {

/// RTM_NEWLINK that creates a link of a kind.
Bytes new_link(const std::string& kind, const std::string& name);
/// RTM_NEWLINK that sets the mtu of a link.
Bytes set_mtu(const std::string& name, uint32_t mtu);
Bytes delete_link(int index);
/// RTM_NEWLINKPROP that adds an alternative name.
Bytes add_altname(int index, const std::string& name);
Bytes get_links();

/// What a dump says of one link; index 0 if it is not there.
struct Link {
  int index = 0;
  uint32_t mtu = 0;
  std::string altname;
  bool persist = false;
  int64_t owner = -1;
  int64_t group = -1;
};
Link find_link(const std::string& name);
int count_links();

}  // namespace tuntap::test
