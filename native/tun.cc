#include "tun.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <mutex>
#include <set>

#include "launch.h"
#include "netlink.h"

#ifndef IFF_NO_CARRIER
#define IFF_NO_CARRIER 0x0040  // linux/if_tun.h since 6.2; used only where TUNGETFEATURES shows it
#endif

namespace tuntap {
namespace {

// Far below the usual limit of 1024, so that the process keeps descriptors for everything else.
constexpr size_t open_at_once = 256;

struct Registry {
  std::mutex mutex;
  std::multiset<int> descriptors;
};

/// Never destroyed: a call may still run while the process exits.
Registry& registry() {
  static auto* const instance = new Registry;
  return *instance;
}

/// A longer name would be cut by the kernel, an empty one or one with % numbered: another link than asked
/// for.
bool valid_name(const std::string& name) {
  return !name.empty() && name.size() < IFNAMSIZ && !has_nul(name) && name.find('%') == std::string::npos;
}

ifreq named(const std::string& name) {
  ifreq request{};
  std::memcpy(request.ifr_name, name.data(), name.size());
  return request;
}

/// 0 if there is none.
int link_index(const Descriptor& socket, ifreq request) {
  return ::ioctl(socket.number(), SIOCGIFINDEX, &request) < 0 ? 0 : request.ifr_ifindex;
}

void fail(TunResult& result, int number, const char* step) {
  result.number = number;
  result.step = step;
}

/// Opens the node and attaches to the interface, or creates it; says in `result` what failed.
TunDescriptor open_queue(const TunOperation& operation, const Descriptor& socket, TunResult& result) {
  const bool create = operation.kind == TunOperation::Kind::create;
  TunDescriptor tun;
  if (!valid_name(operation.name)) {
    fail(result, EINVAL, "TUNSETIFF");
    return tun;
  }
  ifreq request = named(operation.name);
  // An attach rewrites the features of whatever has the name, or makes a link; so look before as well as
  // after.
  if (!create && link_index(socket, request) != operation.ifindex) {
    fail(result, ENODEV, "TUNSETIFF");
    return tun;
  }
  Descriptor node(::open("/dev/net/tun", O_RDWR | O_CLOEXEC));
  // What is given to a program must not be copied for that once it is attached: a copy looks like a holder.
  if (node && operation.kind == TunOperation::Kind::keep) {
    node = Descriptor(::fcntl(node.number(), F_DUPFD_CLOEXEC, first_not_given));
  }
  tun = TunDescriptor(std::move(node));
  if (tun.number() < 0) {
    fail(result, errno, "open");
    return tun;
  }
  unsigned features = 0;
  if (::ioctl(tun.number(), TUNGETFEATURES, &features) < 0) features = 0;
  int flags = operation.flags & ~(IFF_TUN_EXCL | IFF_NO_CARRIER);
  if (create) flags |= IFF_TUN_EXCL;  // never a link that exists
  // Nobody is to see the link come and go; but the queue that a keeper puts aside gives it its carrier for
  // good.
  if ((features & IFF_NO_CARRIER) && operation.kind != TunOperation::Kind::keep) flags |= IFF_NO_CARRIER;
  request.ifr_flags = static_cast<short>(flags);
  if (::ioctl(tun.number(), TUNSETIFF, &request) < 0) {
    fail(result, errno, "TUNSETIFF");
    return tun;
  }
  const int index = link_index(socket, request);
  if (index == 0 || (!create && index != operation.ifindex)) {
    fail(result, ENODEV, create ? "SIOCGIFINDEX" : "TUNSETIFF");
    return tun;
  }
  result.ifindex = index;
  return tun;
}

/// Sends the messages of all operations that are still well, as one batch.
void send_messages(const TunOperation* operations, TunResult* results, size_t count) {
  std::vector<Bytes> messages;
  std::vector<TunResult*> senders;
  for (size_t i = 0; i < count; ++i) {
    if (results[i].number != 0 || !operations[i].message) continue;
    Bytes message = *operations[i].message;
    if (!set_link_index(message, results[i].ifindex)) {
      fail(results[i], EINVAL, "message");
      continue;
    }
    messages.push_back(std::move(message));
    senders.push_back(&results[i]);
  }
  std::vector<Reply> replies;
  try {
    replies = netlink_request(std::move(messages));
  } catch (const SystemError& error) {
    // None was sent. What became of operations before these is to be told all the same.
    for (TunResult* const sender : senders) fail(*sender, error.number, error.operation.c_str());
    return;
  }
  for (size_t i = 0; i < replies.size(); ++i) {
    if (replies[i].number == 0) continue;
    fail(*senders[i], replies[i].number, "message");
    senders[i]->extack = replies[i].extack;
  }
}

/// Owner and group before persistence: whoever sees the link stay sees it complete.
void settle(const TunOperation& operation, int tun, TunResult& result) {
  // These ioctls take their argument by value.
  const auto set = [&](unsigned long code, unsigned long value, const char* step) {
    if (::ioctl(tun, code, value) == 0) return true;
    fail(result, errno, step);
    return false;
  };
  if (operation.owner && !set(TUNSETOWNER, *operation.owner, "TUNSETOWNER")) return;
  if (operation.group && !set(TUNSETGROUP, *operation.group, "TUNSETGROUP")) return;
  if (operation.persist) set(TUNSETPERSIST, *operation.persist ? 1 : 0, "TUNSETPERSIST");
}

}  // namespace

TunDescriptor::TunDescriptor(Descriptor descriptor) : descriptor_(std::move(descriptor)) {
  if (!descriptor_) return;
  const std::lock_guard lock(registry().mutex);
  registry().descriptors.insert(number());
}

void TunDescriptor::close() {
  if (!descriptor_) return;
  const int closed = number();
  { const Descriptor closing = std::move(descriptor_); }
  const std::lock_guard lock(registry().mutex);
  registry().descriptors.erase(registry().descriptors.find(closed));
}

std::vector<TunResult> run_tun_operations(const std::vector<TunOperation>& operations) {
  std::vector<TunResult> results(operations.size());
  const auto socket = descriptor_or_throw(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket");
  for (size_t first = 0; first < operations.size(); first += open_at_once) {
    const size_t count = std::min(open_at_once, operations.size() - first);
    const TunOperation* const chunk = &operations[first];
    TunResult* const outcome = &results[first];
    std::vector<TunDescriptor> tuns(count);
    for (size_t i = 0; i < count; ++i) {
      tuns[i] = open_queue(chunk[i], socket, outcome[i]);
      if (outcome[i].number != 0) tuns[i].close();
    }
    send_messages(chunk, outcome, count);
    for (size_t i = 0; i < count; ++i) {
      if (outcome[i].number == 0) settle(chunk[i], tuns[i].number(), outcome[i]);
      tuns[i].close();  // a created link that does not persist vanishes here
      if (outcome[i].number != 0 && chunk[i].kind == TunOperation::Kind::create) outcome[i].ifindex = 0;
    }
  }
  return results;
}

TunDescriptor open_idle_queue(const std::string& name, int ifindex, int flags, TunResult& result) {
  // A single-queue link has no queue to spare, so it is not even touched.
  if (!(flags & IFF_MULTI_QUEUE)) {
    fail(result, EINVAL, "TUNSETIFF");
    return {};
  }
  TunOperation operation{};
  operation.kind = TunOperation::Kind::keep;
  operation.name = name;
  operation.ifindex = ifindex;
  operation.flags = flags;
  const auto socket = descriptor_or_throw(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket");
  TunDescriptor queue = open_queue(operation, socket, result);
  if (result.number != 0) return {};
  ifreq request{};
  request.ifr_flags = IFF_DETACH_QUEUE;
  if (::ioctl(queue.number(), TUNSETQUEUE, &request) == 0) return queue;
  fail(result, errno, "TUNSETQUEUE");
  return {};
}

int find_link_index(const std::string& name) {
  if (!valid_name(name)) return 0;
  const auto socket = descriptor_or_throw(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket");
  return link_index(socket, named(name));
}

bool is_tun_operation(int descriptor) {
  const std::lock_guard lock(registry().mutex);
  return registry().descriptors.count(descriptor) != 0;
}

}  // namespace tuntap
