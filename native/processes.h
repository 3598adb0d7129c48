// Who holds a TUN or TAP interface, and who lives in a namespace.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "namespace.h"

namespace tuntap {

struct ProcessInfo {
  pid_t pid = 0;
  std::string command;
  uid_t uid = 0;
};

struct Holder {
  std::string link;
  ProcessInfo process;
  bool detached = false;
};

/// One entry for each attached descriptor of another process, or of this one if no operation here opened it.
std::vector<Holder> find_holders(const NamespaceName& name);

/// Processes with a thread in the namespace; of this process only its main thread counts.
std::vector<ProcessInfo> find_namespace_processes(const std::string& name);

}  // namespace tuntap
