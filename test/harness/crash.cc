// Preloaded into the dynamic provider by crash.ts: watches the system calls of the addon and stops the whole
// process, or one thread of it, exactly before or after one of them. The product knows nothing of it.
//
// The folder TT_CRASH_FOLDER holds `points`, one a line: NAMESPACE PHASE ACTION STEP[>STEP...]. The point is
// reached when the last step is, in that namespace, after the others in their order. `kill` kills this
// process; `hold` blocks the thread as long as the file hold/NAMESPACE exists, `delay` for a moment. What
// happens is written to `log`.
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <mutex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace {

template <typename Function>
Function* real(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

struct Point {
  std::string space, phase, action;
  std::vector<std::string> steps;
  size_t reached = 0;
};

struct State {
  std::mutex mutex;
  std::string folder = getenv("TT_CRASH_FOLDER") ? getenv("TT_CRASH_FOLDER") : "";
  std::vector<Point> points;
  std::set<int> tuns;
  std::string adding;  // the namespace whose file was made last; /run/netns is locked meanwhile

  State() {
    std::ifstream file(folder + "/points");
    for (std::string line; std::getline(file, line);) {
      std::istringstream words(line);
      Point point;
      std::string steps;
      words >> point.space >> point.phase >> point.action >> steps;
      std::istringstream names(steps);
      for (std::string step; std::getline(names, step, '>');) point.steps.push_back(step);
      points.push_back(point);
    }
  }

  void write(const std::string& text) const {
    const std::string line = std::to_string(getpid()) + " " + text + "\n";
    const int log = static_cast<int>(syscall(SYS_openat, AT_FDCWD, (folder + "/log").c_str(),
                                             O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
    if (syscall(SYS_write, log, line.data(), line.size()) < 0) abort();
    syscall(SYS_close, log);
  }
};

State& state() {
  static auto* const instance = new State;
  return *instance;
}

thread_local std::string space = "-";
thread_local int sysctl = -1;      // open for writing
thread_local int input = -1;       // what the next program of this thread will read
thread_local std::string program;  // the one that runs, by what it is told

constexpr useconds_t delay = 1'500'000;

void stop(const Point& point) {
  if (point.action == "delay") {
    usleep(delay);
    return;
  }
  state().write("fired " + point.space);
  if (point.action == "kill") {
    kill(getpid(), SIGKILL);
    for (;;) pause();
  }
  const std::string file = state().folder + "/hold/" + point.space;
  while (access(file.c_str(), F_OK) == 0) usleep(5000);
}

void event(const std::string& step, const char* phase) {
  const int error = errno;
  Point found;
  {
    const std::lock_guard lock(state().mutex);
    state().write(std::string("event ") + space + " " + phase + " " + step);
    for (Point& point : state().points) {
      if (point.space != space || point.reached == point.steps.size()) continue;
      if (point.steps[point.reached] != step) continue;
      const bool last = point.reached + 1 == point.steps.size();
      if (phase != (last ? point.phase : "after")) continue;
      ++point.reached;
      if (last) found = point;
    }
  }
  if (!found.steps.empty()) stop(found);
  errno = error;
}

/// Runs the call between its two events.
template <typename Call>
auto around(const std::string& step, Call call) {
  event(step, "before");
  const auto result = call();
  event(step, "after");
  return result;
}

std::string namespace_in(const char* path) {
  constexpr char folder[] = "/run/netns/";
  return strncmp(path, folder, strlen(folder)) == 0 ? path + strlen(folder) : "";
}

std::string name_of(const nlmsghdr* message) {
  switch (message->nlmsg_type) {
    case RTM_GETLINK:
      return "getlink";
    case RTM_NEWADDR:
      return "newaddr";
    case RTM_DELADDR:
      return "deladdr";
    case RTM_GETADDR:
      return "getaddr";
    case RTM_NEWLINKPROP:
      return "newlinkprop";
    case RTM_NEWROUTE:
      return "newroute";
    case RTM_GETROUTE:
      return "getroute";
    case RTM_NEWNEIGH:
      return "newneigh";
    case RTM_NEWLINK:
    case RTM_DELLINK:
      break;
    default:
      return "message" + std::to_string(message->nlmsg_type);
  }
  const bool add = message->nlmsg_type == RTM_NEWLINK;
  const auto* link = static_cast<const ifinfomsg*>(NLMSG_DATA(message));
  auto* attribute = IFLA_RTA(const_cast<ifinfomsg*>(link));
  for (int left = IFLA_PAYLOAD(message); RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left)) {
    if (attribute->rta_type == IFLA_GROUP) return add ? "group" : "dellink-group";
    if (attribute->rta_type == IFLA_MTU) return "mtu";
  }
  if (!add) return "dellink";
  return link->ifi_change & IFF_UP ? "up" : "newlink";
}

std::vector<std::string> names_of(const void* bytes, size_t size) {
  std::vector<std::string> names;
  auto* message = static_cast<const nlmsghdr*>(bytes);
  for (int left = static_cast<int>(size); NLMSG_OK(message, left); message = NLMSG_NEXT(message, left)) {
    const std::string name = name_of(message);
    if (names.empty() || names.back() != name) names.push_back(name);
  }
  return names;
}

}  // namespace

extern "C" {

int open(const char* path, int flags, ...) {
  va_list list;
  va_start(list, flags);
  const mode_t mode = flags & O_CREAT ? va_arg(list, mode_t) : 0;
  va_end(list);
  const auto call = [=] { return real<int(const char*, int, mode_t)>("open")(path, flags, mode); };
  if (strcmp(path, "/dev/net/tun") == 0) {
    const int tun = around("open-tun", call);
    const std::lock_guard lock(state().mutex);
    state().tuns.insert(tun);
    return tun;
  }
  constexpr char settings[] = "/proc/sys/";
  if (strncmp(path, settings, strlen(settings)) == 0 && flags & O_WRONLY)
    return sysctl = around("open-sysctl", call);
  const std::string name = namespace_in(path);
  if (name.empty()) return call();
  space = name;
  if (!(flags & O_CREAT)) return call();
  state().adding = name;
  return around("new-file", call);
}

ssize_t write(int descriptor, const void* bytes, size_t size) {
  const auto call = [=] { return real<ssize_t(int, const void*, size_t)>("write")(descriptor, bytes, size); };
  if (descriptor < 0) return call();
  if (descriptor == input) {
    const std::string text(static_cast<const char*>(bytes), size);
    program = text.find("\"list\"") == std::string::npos ? "nft" : "nft-list";
  }
  if (descriptor != sysctl) return call();
  sysctl = -1;
  return around("sysctl", call);
}

int memfd_create(const char* name, unsigned int flags) {
  return input = real<int(const char*, unsigned int)>("memfd_create")(name, flags);
}

int posix_spawn(pid_t* pid, const char* path, const posix_spawn_file_actions_t* actions,
                const posix_spawnattr_t* attributes, char* const arguments[], char* const environment[]) {
  const auto call = [=] {
    return real<decltype(posix_spawn)>("posix_spawn")(pid, path, actions, attributes, arguments, environment);
  };
  input = -1;
  // It is told nothing but by its arguments.
  const std::string file = path;
  if (file.size() >= 8 && file.compare(file.size() - 8, 8, "modprobe") == 0) program = "modprobe";
  return program.empty() ? call() : around(program + "-start", call);
}

pid_t waitpid(pid_t pid, int* status, int options) {
  const auto call = [=] { return real<pid_t(pid_t, int*, int)>("waitpid")(pid, status, options); };
  if (program.empty()) return call();
  const std::string ended = program + "-end";
  program.clear();
  return around(ended, call);
}

int close(int descriptor) {
  const auto call = [=] { return real<int(int)>("close")(descriptor); };
  {
    const std::lock_guard lock(state().mutex);
    if (state().tuns.erase(descriptor) == 0) return call();
  }
  return around("close-tun", call);
}

int ioctl(int descriptor, unsigned long request, ...) {
  va_list list;
  va_start(list, request);
  void* const argument = va_arg(list, void*);
  va_end(list);
  const auto call = [=] {
    return real<int(int, unsigned long, ...)>("ioctl")(descriptor, request, argument);
  };
  switch (request) {
    case TUNSETIFF:
      return around("tunsetiff", call);
    case SIOCGIFINDEX:
      return around("index", call);
    case TUNSETOWNER:
      return around("owner", call);
    case TUNSETGROUP:
      return around("group-id", call);
    case TUNSETPERSIST:
      return around("persist", call);
    default:
      return call();
  }
}

ssize_t sendto(int descriptor, const void* bytes, size_t size, int flags, const sockaddr* to,
               socklen_t length) {
  const auto call = [=] {
    return real<ssize_t(int, const void*, size_t, int, const sockaddr*, socklen_t)>("sendto")(
        descriptor, bytes, size, flags, to, length);
  };
  if (!to || to->sa_family != AF_NETLINK) return call();
  const std::vector<std::string> names = names_of(bytes, size);
  for (const std::string& name : names) event(name, "before");
  const ssize_t result = call();
  for (const std::string& name : names) event(name, "after");
  return result;
}

int unshare(int flags) {
  space = state().adding;
  return around("unshare", [=] { return real<int(int)>("unshare")(flags); });
}

int mount(const char* source, const char* target, const char* type, unsigned long flags, const void* data) {
  const auto call = [=] {
    return real<int(const char*, const char*, const char*, unsigned long, const void*)>("mount")(
        source, target, type, flags, data);
  };
  return namespace_in(target).empty() ? call() : around("bind", call);
}

int umount2(const char* target, int flags) {
  const auto call = [=] { return real<int(const char*, int)>("umount2")(target, flags); };
  if (namespace_in(target).empty()) return call();
  space = namespace_in(target);
  return around("umount", call);
}

int unlink(const char* path) {
  const auto call = [=] { return real<int(const char*)>("unlink")(path); };
  if (namespace_in(path).empty()) return call();
  space = namespace_in(path);
  return around("unlink", call);
}

}  // extern "C"
