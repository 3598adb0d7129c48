#include "hold.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/syscall.h>

#include <algorithm>
#include <csignal>
#include <mutex>

#include "keeper.h"
#include "launch.h"
#include "processes.h"
#include "tun.h"

namespace tuntap {
namespace {

constexpr int lock_milliseconds = 5000;
constexpr int end_milliseconds = 5000;
constexpr size_t lease_length = 127;  // ALTIFNAMSIZ - 1, linux/if.h

using Keepers = std::vector<Holder>;

/// One process at a time looks for the keepers of a namespace and starts what is missing. Anybody may take
/// this lock, so it is not waited for long: without it a link gets two keepers at worst, and `end` ends both.
void lock_namespace(const Descriptor& place) {
  for (int waited = 0; waited < lock_milliseconds; waited += 10) {
    if (::flock(place.number(), LOCK_EX | LOCK_NB) == 0) return;
    ::poll(nullptr, 0, 10);
  }
}

Keepers find_keepers(const NamespaceName& place) {
  Keepers keepers = find_holders(place);
  keepers.erase(std::remove_if(keepers.begin(), keepers.end(), [](auto& holder) { return !holder.lease; }),
                keepers.end());
  return keepers;
}

Keepers::const_iterator keeper_of(const std::string& link, const Keepers& keepers) {
  return std::find_if(keepers.begin(), keepers.end(), [&](auto& keeper) { return keeper.link == link; });
}

/// A keeper is found again through a copy of its descriptor, so where that cannot be had none is started.
void require_copies() {
#ifdef SYS_pidfd_getfd
  if (::syscall(SYS_pidfd_getfd, -1, -1, 0) < 0 && errno == EBADF) return;
#else
  errno = ENOSYS;
#endif
  throw SystemError{errno, "pidfd_getfd", {}, {}};
}

HoldResult read_report(const Descriptor& pipe) {
  KeeperReport report;
  ssize_t size;
  do {
    size = ::read(pipe.number(), &report, sizeof report);
  } while (size < 0 && errno == EINTR);
  if (size < 0) return {errno, "read", 0};
  if (size != sizeof report) return {EPIPE, helper_name, 0};  // it ended without a word
  if (report.number != 0) return {report.number, keep_command, 0};
  return {0, {}, report.pid};
}

HoldResult start_keeper(const TunDescriptor& queue, const HoldOperation& operation,
                        const std::string& helper) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) < 0) return {errno, "pipe2", 0};
  const Descriptor reading(ends[0]);
  Descriptor writing(ends[1]);
  Launch start;
  start.path = helper;
  start.arguments = {helper_name, keep_command, operation.name, operation.lease};
  start.descriptors = {{writing.number(), keeper_report}, {queue.number(), keeper_queue}};
  start.signals = Signals::blocked;  // until it has left this process (keeper.cc)
  pid_t child = 0;
  const int error = launch(std::move(start), child);
  if (error != 0) return {error, "posix_spawn", 0};
  { const Descriptor closing = std::move(writing); }
  HoldResult result = read_report(reading);
  // It leaves the keeper behind and ends.
  const int status = wait_for(child);
  if (result.step == helper_name) result.status = status;
  return result;
}

HoldResult end_keeper(pid_t pid) {
#if defined(SYS_pidfd_open) && defined(SYS_pidfd_send_signal)
  const Descriptor process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!process) return {errno == ESRCH ? 0 : errno, "pidfd_open", 0};
  // The descriptor stays with its process: should the number be another's by now, nobody is signalled.
  if (!find_keeper_lease(pid)) return {};
  if (::syscall(SYS_pidfd_send_signal, process.number(), SIGTERM, nullptr, 0) < 0) {
    return {errno == ESRCH ? 0 : errno, "pidfd_send_signal", 0};
  }
  pollfd watched{process.number(), POLLIN, 0};
  int ready;
  do {
    ready = ::poll(&watched, 1, end_milliseconds);
  } while (ready < 0 && errno == EINTR);
  if (ready != 1) return {ready < 0 ? errno : ETIMEDOUT, "poll", 0};
  return {0, {}, pid};
#else
  (void)pid;
  return {ENOSYS, "pidfd_open", 0};
#endif
}

HoldResult start(const NamespaceName& place, const NamespaceId& id, const HoldOperation& operation,
                 const std::string& helper, Keepers& keepers) {
  const std::string& lease = operation.lease;
  if (lease.empty() || lease.size() > lease_length || has_nul(lease)) return {EINVAL, "lease", 0};
  const auto found = keeper_of(operation.name, keepers);
  TunResult attached;
  TunDescriptor queue;
  in_namespace(place, [&] {
    if (find_link_index(operation.name) != operation.ifindex) {
      attached.number = ENODEV;
      attached.step = "TUNSETIFF";
    } else if (found == keepers.end()) {
      queue = open_idle_queue(operation.name, operation.ifindex, operation.flags, attached);
    }
  });
  if (attached.number != 0) return {attached.number, attached.step, 0};
  if (found != keepers.end()) return {0, {}, found->process.pid};
  const HoldResult result = start_keeper(queue, operation, helper);
  if (result.number != 0) return result;
  // A keeper that found no name for its namespace takes that for one that never had any, and stays.
  if (place && !leads_to(*place, id)) {
    end_keeper(result.pid);
    identify_namespace(place);  // throws if there is none of that name
    return {ENODEV, "setns", 0};
  }
  Holder keeper;
  keeper.link = operation.name;
  keeper.process.pid = result.pid;
  keepers.push_back(std::move(keeper));
  return result;
}

HoldResult end(const NamespaceName& place, const HoldOperation& operation, Keepers& keepers) {
  int index = 0;
  in_namespace(place, [&] { index = find_link_index(operation.name); });
  if (index == 0 || index != operation.ifindex) return {ENODEV, "SIOCGIFINDEX", 0};
  HoldResult result;
  for (auto found = keeper_of(operation.name, keepers); found != keepers.end();
       found = keeper_of(operation.name, keepers)) {
    const HoldResult ended = end_keeper(found->process.pid);
    if (ended.number != 0) return ended;
    if (ended.pid != 0) result.pid = ended.pid;
    keepers.erase(found);
  }
  return result;
}

}  // namespace

std::vector<HoldResult> run_hold_operations(const NamespaceName& place,
                                            const std::vector<HoldOperation>& operations,
                                            const std::string& helper) {
  // Only root finds the keepers of all, and only root's are believed (processes.h).
  if (::geteuid() != 0) throw SystemError{EPERM, "hold", {}, {}};
  const Descriptor locked = open_namespace(place);
  require_copies();
  const bool starts = std::any_of(operations.begin(), operations.end(), [](auto& operation) {
    return operation.kind == HoldOperation::Kind::start;
  });
  if (starts && ::access(helper.c_str(), X_OK) < 0) throw SystemError{errno, "posix_spawn", helper, {}};
  // In this process first, where nobody else can be in the way. Never destroyed: a call may outlast the exit.
  static auto* const holding = new std::mutex;
  const std::lock_guard lock(*holding);
  lock_namespace(locked);
  const NamespaceId id = identify_namespace(locked);
  Keepers keepers = find_keepers(place);
  std::vector<HoldResult> results;
  for (const HoldOperation& operation : operations) {
    try {
      results.push_back(operation.kind == HoldOperation::Kind::start
                            ? start(place, id, operation, helper, keepers)
                            : end(place, operation, keepers));
    } catch (const SystemError& error) {
      // What became of operations before this one is to be told all the same.
      if (results.empty()) throw;
      // Only the namespace can be missing.
      results.push_back({error.number, error.number == ENOENT ? "setns" : error.operation, 0});
    }
  }
  return results;
}

}  // namespace tuntap
