// TUN and TAP interfaces: what only /dev/net/tun can do.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "system.h"

namespace tuntap {

struct TunOperation {
  enum class Kind { create, attach, keep } kind;
  std::string name;
  int flags = 0;                 ///< IFF_TUN or IFF_TAP and features
  int ifindex = 0;               ///< attach, keep: the link expected under the name
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

/// An open /dev/net/tun, registered from before it is attached until after it is closed.
class TunDescriptor {
 public:
  TunDescriptor() = default;
  explicit TunDescriptor(Descriptor descriptor);
  TunDescriptor(TunDescriptor&&) = default;
  TunDescriptor& operator=(TunDescriptor&&) = default;
  ~TunDescriptor() { close(); }

  int number() const { return descriptor_.number(); }
  void close();

 private:
  Descriptor descriptor_;
};

/// Works the operations off in the calling thread's namespace. A failed create leaves no link.
std::vector<TunResult> run_tun_operations(const std::vector<TunOperation>& operations);

/// A queue of an existing multi-queue link, put aside (IFF_DETACH_QUEUE): it keeps the link and its carrier,
/// and takes no packets. None if `result` says what failed.
TunDescriptor open_idle_queue(const std::string& name, int ifindex, int flags, TunResult& result);

/// Of a link in the calling thread's namespace; 0 if there is none.
int find_link_index(const std::string& name);

/// Whether the descriptor belongs to an operation that is under way in this process.
bool is_tun_operation(int descriptor);

}  // namespace tuntap
