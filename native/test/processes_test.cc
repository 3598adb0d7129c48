#include "processes.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include <csignal>
#include <cstring>
#include <functional>
#include <thread>

#include "check.h"
#include "keepers.h"
#include "tun.h"

using namespace tuntap;
using namespace tuntap::test;

namespace {

[[noreturn]] void stay() {
  for (;;) ::pause();
}

/// A process that holds what `prepare` opens until it is killed, and lives as `live` has it.
class Child {
 public:
  explicit Child(const std::function<void()>& prepare, const std::function<void()>& live = stay) {
    int ready[2];
    CHECK(::pipe(ready) == 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      prepare();
      ::close(ready[1]);
      live();
    }
    ::close(ready[1]);
    char byte;
    CHECK(::read(ready[0], &byte, 1) == 0);
    ::close(ready[0]);
  }
  ~Child() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_;
};

int attach(const char* name, int flags, const char* node = "/dev/net/tun") {
  const int tun = ::open(node, O_RDWR);
  ifreq request{};
  std::strcpy(request.ifr_name, name);
  request.ifr_flags = static_cast<short>(flags);
  if (::ioctl(tun, TUNSETIFF, &request) < 0) ::_exit(1);
  return tun;
}

void enter(const char* name) {
  const Descriptor entry(::open((std::string("/run/netns/") + name).c_str(), O_RDONLY));
  if (::setns(entry.number(), CLONE_NEWNET) < 0) ::_exit(1);
}

}  // namespace

TEST(holders_are_told_by_namespace) {
  add_namespace("blue", std::nullopt);
  const Child here([] { attach("tap0", IFF_TAP | IFF_NO_PI); });
  const Child there([] {
    enter("blue");
    attach("tap0", IFF_TAP | IFF_NO_PI);
    if (::setresuid(1234, 4321, 0) < 0) ::_exit(1);
  });
  // Opened in one namespace, by a process that then moved on to another: the device counts.
  const Child astray([] {
    enter("blue");
    attach("tap1", IFF_TAP | IFF_NO_PI);
    if (::unshare(CLONE_NEWNET) < 0) ::_exit(1);
  });
  const auto own = find_holders(std::nullopt);
  CHECK_EQUAL(own.size(), 1u);
  CHECK_EQUAL(own[0].link, "tap0");
  CHECK_EQUAL(own[0].process.pid, here.pid());
  CHECK_EQUAL(own[0].process.uid, 0u);
  CHECK(!own[0].detached);
  CHECK(own[0].process.command.find("run") != std::string::npos);
  auto blue = find_holders("blue");
  CHECK_EQUAL(blue.size(), 2u);
  if (blue[0].link != "tap0") std::swap(blue[0], blue[1]);
  CHECK_EQUAL(blue[0].process.pid, there.pid());
  CHECK_EQUAL(blue[0].process.uid, 4321u);
  CHECK_EQUAL(blue[1].process.pid, astray.pid());
}

TEST(a_command_says_nothing_to_a_terminal) {
  const Child child([] { attach("tap0", IFF_TAP | IFF_NO_PI); },
                    [] {
                      ::execl("/bin/sleep", "\u009b2J\u202ex\xff", "60", nullptr);
                      ::_exit(1);
                    });
  CHECK(until([] { return find_holders(std::nullopt).at(0).process.command == "?2J?x? 60"; }));
}

TEST(each_queue_and_each_node_counts) {
  const Child child([] {
    attach("multi", IFF_TAP | IFF_NO_PI | IFF_MULTI_QUEUE);
    const int second = attach("multi", IFF_TAP | IFF_NO_PI | IFF_MULTI_QUEUE);
    ifreq request{};
    request.ifr_flags = IFF_DETACH_QUEUE;
    if (::ioctl(second, TUNSETQUEUE, &request) < 0) ::_exit(1);
    if (::mknod("/run/node", S_IFCHR | 0600, makedev(10, 200)) < 0) ::_exit(1);
    attach("other", IFF_TUN | IFF_NO_PI, "/run/node");
    ::unlink("/run/node");
    ::open("/dev/net/tun", O_RDWR);  // open, but attached to nothing
  });
  const auto holders = find_holders(std::nullopt);
  CHECK_EQUAL(holders.size(), 3u);
  int detached = 0, other = 0;
  for (const Holder& holder : holders) {
    detached += holder.detached && holder.link == "multi";
    other += holder.link == "other";
  }
  CHECK_EQUAL(detached, 1);
  CHECK_EQUAL(other, 1);
}

TEST(a_process_holds_what_it_has_after_its_main_thread_ended) {
  need_visible_programs();  // an emulator's threads go on
  add_namespace("blue", std::nullopt);
  const auto without_main = [] {
    std::thread(stay).detach();
    ::syscall(SYS_exit, 0);  // as pthread_exit ends it, but without unwinding what is the test's
  };
  const Child single(
      [] {
        attach("tap0", IFF_TAP | IFF_NO_PI);
        if (::setresuid(1234, 4321, 0) < 0) ::_exit(1);
      },
      without_main);
  const Child multi(
      [] {
        enter("blue");
        const int tun = attach("multi", IFF_TAP | IFF_NO_PI | IFF_MULTI_QUEUE);
        ifreq request{};
        request.ifr_flags = IFF_DETACH_QUEUE;
        if (::ioctl(tun, TUNSETQUEUE, &request) < 0) ::_exit(1);
      },
      without_main);
  for (const Child* child : {&single, &multi}) {
    const std::string status = "/proc/" + std::to_string(child->pid()) + "/status";
    CHECK(until([&] { return read_all(status).find("State:\tZ") != std::string::npos; }));
  }
  const auto own = find_holders(std::nullopt);
  CHECK_EQUAL(own.size(), 1u);
  CHECK_EQUAL(own[0].link, "tap0");
  CHECK_EQUAL(own[0].process.pid, single.pid());
  CHECK_EQUAL(own[0].process.uid, 4321u);
  CHECK(own[0].process.command.find("/run") != std::string::npos);  // its arguments, not only its name
  const auto blue = find_holders("blue");
  CHECK_EQUAL(blue.size(), 1u);
  CHECK_EQUAL(blue[0].process.pid, multi.pid());
  const auto inside = find_namespace_processes("blue");
  CHECK_EQUAL(inside.size(), 1u);
  CHECK_EQUAL(inside[0].command, blue[0].process.command);
}

TEST(nobody_is_overlooked_where_descriptors_run_out) {
  add_namespace("blue", std::nullopt);
  const Child child([] {
    attach("tap0", IFF_TAP | IFF_NO_PI);
    enter("blue");
  });
  size_t enough = 0;
  for (bool seen = false; !seen; ++enough) {
    int error = 0;
    const auto look = [&] { seen = find_holders(std::nullopt).size() == 1; };
    with_descriptors_left(enough, [&] { error = error_of(look); });
    CHECK_EQUAL(error, seen ? 0 : EMFILE);
  }
  CHECK(enough > 3);
  int error = 0;
  with_descriptors_left(1, [&] { error = error_of([] { find_namespace_processes("blue"); }); });
  CHECK_EQUAL(error, EMFILE);
}

TEST(this_process_holds_what_it_opened_itself) {
  const Descriptor tun(attach("tap0", IFF_TAP | IFF_NO_PI));
  const auto holders = find_holders(std::nullopt);
  CHECK_EQUAL(holders.size(), 1u);
  CHECK_EQUAL(holders[0].process.pid, ::getpid());
  CHECK(!is_tun_operation(tun.number()));
}

TEST(processes_of_a_namespace) {
  add_namespace("blue", std::nullopt);
  CHECK_EQUAL(find_namespace_processes("blue").size(), 0u);
  const Child child([] { enter("blue"); });
  in_namespace("blue", [&] {  // a thread of ours that is there only now
    const auto processes = find_namespace_processes("blue");
    CHECK_EQUAL(processes.size(), 1u);
    CHECK_EQUAL(processes[0].pid, child.pid());
  });
}
