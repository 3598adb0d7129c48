#include "keeper.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include <csignal>
#include <cstring>

#include "namespace.h"
#include "tun.h"

#ifndef TUNGETDEVNETNS
#define TUNGETDEVNETNS _IO('T', 227)  // linux/if_tun.h
#endif
#ifndef SIOCGSKNS
#define SIOCGSKNS 0x894C  // linux/sockios.h
#endif

namespace tuntap {
namespace {

constexpr int retry_milliseconds = 1000;

bool ask_link(ifreq& link) { return ::ioctl(keeper_queue, TUNGETIFF, &link) == 0; }

std::string name_of(const ifreq& link) {
  return std::string(link.ifr_name, strnlen(link.ifr_name, IFNAMSIZ));
}

/// The namespace that the queue was opened in. The kernel keeps it alive for that, wherever the link is now.
NamespaceId opened_in() {
  return identify_namespace(descriptor_or_throw(::ioctl(keeper_queue, SIOCGSKNS), "SIOCGSKNS"));
}

Descriptor link_namespace() {
  return descriptor_or_throw(::ioctl(keeper_queue, TUNGETDEVNETNS), "TUNGETDEVNETNS");
}

NamespaceName find_name(const NamespaceId& place) {
  for (const NamespaceEntry& entry : list_namespaces()) {
    if (entry.mounted && entry.inode == place.inode) return entry.name;
  }
  return std::nullopt;
}

/// Opens the queue anew where the link is now, so that the namespace it came from can end. False if that did
/// not work, and all is as it was.
bool follow(const Descriptor& home) {
  const Descriptor place = link_namespace();
  ifreq link{};
  if (!ask_link(link) || ::setns(place.number(), CLONE_NEWNET) < 0) return false;
  const std::string name = name_of(link);
  TunResult result;
  TunDescriptor queue;
  try {
    queue = open_idle_queue(name, find_link_index(name), link.ifr_flags & ~IFF_DETACH_QUEUE, result);
  } catch (const SystemError& error) {
    result.number = error.number;
  }
  if (::setns(home.number(), CLONE_NEWNET) < 0) return false;
  // Renamed meanwhile, the name may have led to another link.
  if (result.number != 0 || !ask_link(link) || name_of(link) != name) return false;
  return ::dup3(queue.number(), keeper_queue, O_CLOEXEC) == keeper_queue;
}

/// Looks after the queue, and after the namespace that it keeps alive.
class Watch {
 public:
  Watch()
      : home_(open_namespace(std::nullopt)),
        mounts_(descriptor_or_throw(::open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC), "open")),
        place_(opened_in()),
        name_(find_name(place_)) {}

  /// Returns when the link is gone, or when its namespace has lost its name and only this queue keeps both.
  void stay() {
    for (;;) {
      // A queue that is put aside has nothing to read, but the kernel wakes readers alone when the link goes.
      pollfd watched[] = {{keeper_queue, POLLIN, 0}, {name_ ? mounts_.number() : -1, POLLPRI, 0}};
      ::poll(watched, 2, lost_ ? retry_milliseconds : -1);
      if (watched[0].revents != 0) {
        ifreq link{};
        if (!ask_link(link)) return;
        ::poll(nullptr, 0, 10);  // the kernel is still at it
        continue;
      }
      try {
        if (!is_worth_keeping()) return;
      } catch (const SystemError&) {
        // Out of memory for a moment, say: no reason to give the link up. It is tried again.
      }
    }
  }

 private:
  bool is_worth_keeping() {
    if (!lost_ && (!name_ || leads_to(*name_, place_))) return true;
    lost_ = true;
    name_ = find_name(place_);  // it may have another
    if (!name_) {
      if (identify_namespace(link_namespace()) == place_) return false;
      if (!follow(home_)) return true;
      place_ = opened_in();
      name_ = find_name(place_);
    }
    lost_ = false;
    return true;
  }

  Descriptor home_;
  // Tells by POLLPRI of every change of the mounts, so also when a namespace loses its name. Inotify would
  // do, but root may have 128 instances of it, and one namespace may have a thousand keepers. Opened before
  // the name is looked up, so that no change is missed.
  Descriptor mounts_;
  NamespaceId place_;
  NamespaceName name_;
  bool lost_ = false;  ///< the name; not yet settled what follows from that
};

/// Descriptors that the starter's own starter left open: a pipe kept here would never end for its reader.
void close_others() {
  constexpr unsigned first = keeper_queue + 1;
#ifdef SYS_close_range
  if (::syscall(SYS_close_range, first, ~0U, 0) == 0) return;
#endif
  for (long number = ::sysconf(_SC_OPEN_MAX) - 1; number >= first; --number)
    ::close(static_cast<int>(number));
}

/// A session without a terminal, and nothing of the starter's but the two descriptors. Signals are blocked
/// before (launch.h): those that waited were for the starter, and stay with the process that was forked.
void leave_starter() {
  ::setsid();
  for (int number = 1; number < NSIG; ++number) ::signal(number, SIG_DFL);
  ::signal(SIGHUP, SIG_IGN);
  ::signal(SIGPIPE, SIG_IGN);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  if (::chdir("/") < 0) return;  // there is always one
}

/// Makes the descriptor one of /dev/null. Node.js leaves programs none of its standard ones, so it may be
/// free: then it must not become the number of something else.
void silence(int number) {
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null == number) return;
  if (null < 0) {
    ::close(number);
  } else {
    ::dup2(null, number);
    ::close(null);
  }
}

int report(int number, pid_t pid) {
  const KeeperReport bytes{number, pid};
  // Where the starter has ended meanwhile, the link is kept all the same: it carries its lease.
  const ssize_t size = ::write(keeper_report, &bytes, sizeof bytes);
  return number == 0 && size == sizeof bytes ? 0 : 1;
}

}  // namespace

int keep(int count, char**) {
  if (count != 2) return wrong_usage;
  ifreq link{};
  if (!ask_link(link)) return report(errno, 0);
  if (!(link.ifr_flags & IFF_DETACH_QUEUE)) return report(EINVAL, 0);
  // The starter waits for this process, so that none is left for it to wait for.
  const pid_t child = ::fork();
  if (child < 0) return report(errno, 0);
  if (child > 0) return 0;
  leave_starter();
  close_others();
  silence(STDIN_FILENO);
  silence(STDERR_FILENO);
  try {
    Watch watch;
    report(0, ::getpid());
    silence(keeper_report);
    watch.stay();
    return 0;
  } catch (const SystemError& error) {
    return report(error.number, 0);
  }
}

}  // namespace tuntap
