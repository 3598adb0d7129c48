// Named network namespaces, as `ip netns` keeps them in /run/netns.
#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "netlink.h"

namespace tuntap {

/// A name stands for /run/netns/NAME; none for the namespace that the process is in.
using NamespaceName = std::optional<std::string>;

struct NamespaceEntry {
  std::string name;
  bool mounted = false;
  ino_t inode = 0;
};

/// What two paths to one namespace have in common.
struct NamespaceId {
  dev_t device;
  ino_t inode;
  bool operator==(const NamespaceId& other) const { return device == other.device && inode == other.inode; }
};

/// Runs `work` inside the namespace. A thread that enters one is made for that and ends afterwards, so that
/// no other code ever finds itself in a namespace that it did not ask for.
void in_namespace(const NamespaceName& name, const std::function<void()>& work);

NamespaceId identify_namespace(const NamespaceName& name);
/// Of a descriptor that leads to one.
NamespaceId identify_namespace(const Descriptor& place);

/// Whether /run/netns/NAME is that very namespace.
bool leads_to(const std::string& name, const NamespaceId& place);

/// A descriptor that leads to the namespace.
Descriptor open_namespace(const NamespaceName& name);

std::vector<NamespaceEntry> list_namespaces();

struct NamespaceLimits {
  /// For the lock on /run/netns, which anybody may take; after that ETIMEDOUT of flock, with the process that
  /// has it.
  int lock_milliseconds = 20'000;
};

/// Makes one; `message`, with the index of `lo` filled in, is sent inside before the name leads there.
void add_namespace(const std::string& name, const std::optional<Bytes>& message,
                   const NamespaceLimits& limits = {});

void remove_namespace(const std::string& name, const NamespaceLimits& limits = {});

/// Sends RTM_NEWLINK messages inside `from`, each with the attribute that moves its link to `to`.
std::vector<Reply> move_links(const NamespaceName& from, const NamespaceName& to,
                              std::vector<Bytes> messages);

}  // namespace tuntap
