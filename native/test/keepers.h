// Links to keep, and their keepers as children of the tests.
#pragma once

#include <linux/if_tun.h>
#include <sys/types.h>

#include <functional>
#include <string>

#include "hold.h"

namespace tuntap::test {

constexpr int multi_queue = IFF_TAP | IFF_NO_PI | IFF_MULTI_QUEUE;

/// The helper that was built as these tests were: plain, or under the sanitizers.
std::string helper();

/// True as soon as `holds` is; false after thirty seconds: the kernel ends namespaces, and so their links,
/// one after the other, also those of others.
bool until(const std::function<bool()>& holds);

/// Skips the test where a process is not seen as its program: under an emulator it is seen as the emulator.
void need_visible_programs();

std::string read_all(const std::string& path);
/// Where a symbolic link leads.
std::string target(const std::string& path);

/// A keeper that is this process's child, as its own parent has left it: so its end can be looked at.
class Kept {
 public:
  explicit Kept(pid_t pid) : pid_(pid) {}
  ~Kept();
  pid_t pid() const { return pid_; }
  /// How waitpid told it; a report of the sanitizers is an exit code too.
  int status() const { return status_; }
  bool running();
  /// Ended by itself, and well.
  bool ends();

 private:
  pid_t pid_;
  int status_ = 0;
  bool ended_ = false;
};

/// Makes a persistent link. Skips the test where keepers cannot be told.
int create(const std::string& name, int flags = multi_queue);
void set_persist(const std::string& name, int index, bool persist);
void move(int index, const NamespaceName& from, const NamespaceName& to);

HoldOperation start_of(const std::string& name, int index, int flags = multi_queue);
HoldResult start(const std::string& name, int index, const NamespaceName& place = std::nullopt);
HoldResult end(const std::string& name, int index);

}  // namespace tuntap::test
