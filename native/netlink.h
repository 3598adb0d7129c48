// Netlink route sockets: batches of requests, and dumps. Nothing here knows what a message means.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "system.h"

namespace tuntap {

/// The kernel's answer to one message.
struct Reply {
  int number = ENOBUFS;  ///< errno; ENOBUFS until an acknowledgement says otherwise
  std::string extack;
  std::optional<uint32_t> offset;
};

struct Dump {
  Bytes bytes;
  bool interrupted = false;
};

/// Kept small enough that the acknowledgements of one send (about 1 KiB of kernel memory each) always fit.
struct NetlinkLimits {
  int receive_buffer = 1 << 20;
  size_t messages_per_send = 128;
  size_t bytes_per_send = 64 * 1024;
};

/// Sends the messages in order, in the calling thread's namespace; one reply for each.
std::vector<Reply> netlink_request(std::vector<Bytes> messages, const NetlinkLimits& limits = {});

/// Sends one GET request as a dump and collects all that comes back.
Dump netlink_dump(Bytes message, const NetlinkLimits& limits = {});

/// Fills in ifi_index, which follows nlmsghdr and four bytes. False if the message is too short to have one.
bool set_link_index(Bytes& message, int32_t index);

/// Adds an attribute of 32 bits to an RTM_NEWLINK. False, and nothing done, if the message is none.
bool append_to_link(Bytes& message, uint16_t type, int32_t value);

}  // namespace tuntap
