#include "keepers.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <iterator>

#include "check.h"
#include "keeper.h"
#include "messages.h"
#include "tun.h"

namespace tuntap::test {
namespace {

TunResult change(const std::string& name, TunOperation::Kind kind, int index, int flags, bool persist) {
  TunOperation operation{};
  operation.kind = kind;
  operation.name = name;
  operation.ifindex = index;
  operation.flags = flags;
  operation.persist = persist;
  return run_tun_operations({operation}).front();
}

}  // namespace

void need_visible_programs() {
  const pid_t child = ::fork();
  if (child == 0) {
    ::pause();
    ::_exit(0);
  }
  const bool visible = target("/proc/" + std::to_string(child) + "/exe") == target("/proc/self/exe");
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  if (!visible) throw Skip{"processes are not seen as their programs"};
}

std::string helper() {
  const std::string own = target("/proc/self/exe");
  return own.substr(0, own.rfind('/') + 1) + helper_name;
}

bool until(const std::function<bool()>& holds) {
  for (int i = 0; i < 3000; ++i) {
    if (holds()) return true;
    ::usleep(10'000);
  }
  return false;
}

std::string read_all(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string target(const std::string& path) {
  char buffer[PATH_MAX];
  const ssize_t size = ::readlink(path.c_str(), buffer, sizeof buffer);
  return std::string(buffer, std::max<ssize_t>(size, 0));
}

Kept::~Kept() {
  if (!running()) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

bool Kept::running() {
  if (!ended_ && ::waitpid(pid_, &status_, WNOHANG) == pid_) ended_ = true;
  return !ended_;
}

bool Kept::ends() {
  return until([&] { return !running(); }) && WIFEXITED(status_) && WEXITSTATUS(status_) == 0;
}

int create(const std::string& name, int flags) {
  need_visible_programs();
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  // As Node.js has them: a program that is started finds none but what it is given.
  for (int number = 0; number < 3; ++number) ::fcntl(number, F_SETFD, FD_CLOEXEC);
  const TunResult result = change(name, TunOperation::Kind::create, 0, flags, true);
  CHECK_EQUAL(result.number, 0);
  return result.ifindex;
}

void set_persist(const std::string& name, int index, bool persist) {
  CHECK_EQUAL(change(name, TunOperation::Kind::attach, index, multi_queue, persist).number, 0);
}

void move(int index, const NamespaceName& from, const NamespaceName& to) {
  CHECK_EQUAL(move_links(from, to, {touch_link(index)}).front().number, 0);
}

HoldOperation start_of(const std::string& name, int index, int flags) {
  return {HoldOperation::Kind::start, name, index, flags, "lease-of-" + name};
}

HoldResult start(const std::string& name, int index, const NamespaceName& place) {
  return run_hold_operations(place, {start_of(name, index)}, helper()).front();
}

HoldResult end(const std::string& name, int index) {
  return run_hold_operations(std::nullopt, {{HoldOperation::Kind::end, name, index, 0, {}}}, {}).front();
}

}  // namespace tuntap::test
