// TUN and TAP interfaces: what only /dev/net/tun can do.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "system.h"

namespace tuntap {

struct TunOperation {
  enum class Kind { create, attach } kind;
  std::string name;
  int flags = 0;                 ///< IFF_TUN or IFF_TAP and features
  int ifindex = 0;               ///< attach: the link expected under the name
  std::optional<Bytes> message;  ///< create: sent before anything persists, with the ifindex filled in
  std::optional<uint32_t> owner;
  std::optional<uint32_t> group;
  std::optional<bool> persist;
};

struct TunResult {
  int number = 0;  ///< errno
  std::string step;
  std::string extack;
  int ifindex = 0;
};

/// Works the operations off in the calling thread's namespace. A failed create leaves no link.
std::vector<TunResult> run_tun_operations(const std::vector<TunOperation>& operations);

/// Whether the descriptor belongs to an operation that is under way in this process.
bool is_tun_operation(int descriptor);

}  // namespace tuntap
