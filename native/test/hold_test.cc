#include "hold.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <fstream>
#include <functional>
#include <iterator>
#include <thread>

#include "check.h"
#include "keeper.h"
#include "messages.h"
#include "processes.h"
#include "tun.h"

using namespace tuntap;
using namespace tuntap::test;

namespace {

constexpr int multi_queue = IFF_TAP | IFF_NO_PI | IFF_MULTI_QUEUE;
constexpr unsigned lower_up = 1U << 16;  // IFF_LOWER_UP, whose header clashes with net/if.h

std::string target(const std::string& path) {
  char buffer[PATH_MAX];
  const ssize_t size = ::readlink(path.c_str(), buffer, sizeof buffer);
  return std::string(buffer, std::max<ssize_t>(size, 0));
}

/// The helper that was built as these tests were: plain, or under the sanitizers.
std::string helper() {
  const std::string own = target("/proc/self/exe");
  return own.substr(0, own.rfind('/') + 1) + helper_name;
}

/// Skips the test where a process is not seen as its program: under an emulator it is seen as the emulator.
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

/// True as soon as `holds` is; false after thirty seconds: the kernel ends namespaces, and so their links,
/// one after the other, also those of others.
bool until(const std::function<bool()>& holds) {
  for (int i = 0; i < 3000; ++i) {
    if (holds()) return true;
    ::usleep(10'000);
  }
  return false;
}

/// A keeper that is this process's child, as its own parent has left it: so its end can be looked at.
class Kept {
 public:
  explicit Kept(pid_t pid) : pid_(pid) {}
  ~Kept() {
    if (!running()) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  pid_t pid() const { return pid_; }
  /// How waitpid told it; a report of the sanitizers is an exit code too.
  int status() const { return status_; }
  bool running() {
    if (!ended_ && ::waitpid(pid_, &status_, WNOHANG) == pid_) ended_ = true;
    return !ended_;
  }
  /// Ended by itself, and well.
  bool ends() {
    return until([&] { return !running(); }) && WIFEXITED(status_) && WEXITSTATUS(status_) == 0;
  }

 private:
  pid_t pid_;
  int status_ = 0;
  bool ended_ = false;
};

TunResult change(const std::string& name, TunOperation::Kind kind, int index, int flags, bool persist) {
  TunOperation operation{};
  operation.kind = kind;
  operation.name = name;
  operation.ifindex = index;
  operation.flags = flags;
  operation.persist = persist;
  return run_tun_operations({operation}).front();
}

int create(const std::string& name, int flags = multi_queue) {
  need_visible_programs();
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  const TunResult result = change(name, TunOperation::Kind::create, 0, flags, true);
  CHECK_EQUAL(result.number, 0);
  return result.ifindex;
}

void set_persist(const std::string& name, int index, bool persist) {
  CHECK_EQUAL(change(name, TunOperation::Kind::attach, index, multi_queue, persist).number, 0);
}

HoldOperation operation_start(const std::string& name, int index, int flags = multi_queue) {
  return {HoldOperation::Kind::start, name, index, flags, "lease-of-" + name};
}

HoldResult start(const std::string& name, int index, const NamespaceName& place = std::nullopt) {
  return run_hold_operations(place, {operation_start(name, index)}, helper()).front();
}

HoldResult end(const std::string& name, int index) {
  return run_hold_operations(std::nullopt, {{HoldOperation::Kind::end, name, index, 0, {}}}, {}).front();
}

bool has_carrier(const std::string& name) { return (find_link(name).flags & lower_up) != 0; }

Descriptor consume(const char* name, int flags = multi_queue) {
  Descriptor tun(::open("/dev/net/tun", O_RDWR | O_CLOEXEC));
  ifreq request{};
  std::strcpy(request.ifr_name, name);
  request.ifr_flags = static_cast<short>(flags);
  CHECK(::ioctl(tun.number(), TUNSETIFF, &request) == 0);
  return tun;
}

std::string read_all(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

void move(int index, const NamespaceName& from, const NamespaceName& to) {
  CHECK_EQUAL(move_links(from, to, {touch_link(index)}).front().number, 0);
}

}  // namespace

TEST(a_kept_link_lives_without_persistence_and_keeps_its_carrier) {
  const int index = create("tap0");
  netlink_request({set_up(index)});
  CHECK(!has_carrier("tap0"));
  Kept keeper(start("tap0", index).pid);
  CHECK(keeper.running());
  set_persist("tap0", index, false);
  CHECK(has_carrier("tap0"));
  for (int i = 0; i < 3; ++i) {
    const Descriptor consumer = consume("tap0");
    CHECK(has_carrier("tap0"));
  }
  CHECK(has_carrier("tap0"));
  CHECK(!find_link("tap0").persist);
  CHECK(keeper.running());
}

TEST(a_link_that_nobody_keeps_any_more_vanishes) {
  const int index = create("tap0");
  Kept keeper(start("tap0", index).pid);
  set_persist("tap0", index, false);
  CHECK_EQUAL(find_link("tap0").index, index);
  CHECK(::kill(keeper.pid(), SIGKILL) == 0);
  CHECK(until([&] { return !keeper.running(); }));
  CHECK_EQUAL(find_link("tap0").index, 0);
}

TEST(a_keeper_ends_with_its_link) {
  const int index = create("tap0");
  Kept keeper(start("tap0", index).pid);
  CHECK_EQUAL(netlink_request({delete_link(index)}).front().number, 0);
  CHECK(keeper.ends());
}

TEST(a_keeper_follows_renames_and_moves) {
  add_namespace("blue", std::nullopt);
  const int index = create("tap0");
  Kept keeper(start("tap0", index).pid);
  set_persist("tap0", index, false);
  CHECK_EQUAL(netlink_request({rename_link(index, "renamed")}).front().number, 0);
  const auto renamed = find_holders(std::nullopt);
  CHECK_EQUAL(renamed.size(), 1u);
  CHECK_EQUAL(renamed[0].link, "renamed");
  move(index, std::nullopt, "blue");
  CHECK_EQUAL(find_holders(std::nullopt).size(), 0u);
  const auto moved = find_holders("blue");
  CHECK_EQUAL(moved.size(), 1u);
  CHECK_EQUAL(moved[0].process.pid, keeper.pid());
  CHECK_EQUAL(moved[0].lease.value_or(""), "lease-of-tap0");
  CHECK(keeper.running());
  remove_namespace("blue");
  CHECK(keeper.ends());
}

TEST(a_keeper_keeps_no_namespace_alive_that_lost_its_name) {
  add_namespace("blue", std::nullopt);
  add_namespace("red", std::nullopt);
  int index = 0;
  in_namespace("blue", [&] {
    index = create("tap0");
    netlink_request({new_link("veth", "witness")});
  });
  Kept keeper(start("tap0", index, "blue").pid);
  CHECK_EQUAL(find_namespace_processes("blue").size(), 0u);
  int witness = 0;
  in_namespace("blue", [&] {
    set_persist("tap0", index, false);
    witness = find_link("witness").index;
  });
  move(witness, "blue", std::nullopt);
  move(index, "blue", "red");
  // Its other end is in the namespace, so it goes when that ends.
  CHECK(find_link("witness").index != 0);
  remove_namespace("blue");
  CHECK(until([] { return find_link("witness").index == 0; }));
  CHECK(keeper.running());
  in_namespace("red", [&] {
    CHECK(find_link("tap0").index != 0);
    CHECK_EQUAL(find_holders("red").at(0).process.pid, keeper.pid());
  });
  // And from there too, where the link has nowhere else to be.
  add_namespace("other", std::nullopt);
  remove_namespace("other");
  CHECK(keeper.running());
  remove_namespace("red");
  CHECK(keeper.ends());
}

TEST(a_keeper_knows_its_namespace_from_the_first_moment) {
  for (int round = 0; round < 30; ++round) {
    add_namespace("blue", std::nullopt);
    int index = 0;
    in_namespace("blue", [&] { index = create("tap0"); });
    Kept keeper(start("tap0", index, "blue").pid);
    remove_namespace("blue");
    CHECK(keeper.ends());
  }
}

TEST(a_namespace_that_goes_during_a_start_leaves_no_keeper) {
  for (int round = 0; round < 60; ++round) {
    add_namespace("blue", std::nullopt);
    int index = 0;
    in_namespace("blue", [&] { index = create("tap0"); });
    std::thread remover([&] {
      ::usleep(round * 100);
      remove_namespace("blue");
    });
    const int error = error_of([&] { start("tap0", index, "blue"); });
    remover.join();
    CHECK(error == 0 || error == ENOENT || error == EINVAL);  // or between unmounting and unlinking
    CHECK(until([] { return ::waitpid(-1, nullptr, WNOHANG) < 0 && errno == ECHILD; }));
  }
}

TEST(a_second_start_finds_the_first) {
  const int index = create("tap0");
  const HoldOperation twice = operation_start("tap0", index);
  const auto both = run_hold_operations(std::nullopt, {twice, twice}, helper());
  Kept keeper(both[0].pid);
  CHECK(keeper.running());
  CHECK_EQUAL(both[1].number, 0);
  CHECK_EQUAL(both[1].pid, keeper.pid());
  CHECK_EQUAL(start("tap0", index).pid, keeper.pid());
  CHECK_EQUAL(find_holders(std::nullopt).size(), 1u);
}

TEST(starts_at_the_same_time_make_one_keeper) {
  add_namespace("blue", std::nullopt);
  int index = 0;
  in_namespace("blue", [&] { index = create("tap0"); });
  HoldResult results[8];
  std::vector<std::thread> starters;
  for (HoldResult& result : results) {
    starters.emplace_back([&] { result = start("tap0", index, "blue"); });
  }
  for (std::thread& starter : starters) starter.join();
  Kept keeper(results[0].pid);
  CHECK(keeper.running());
  for (const HoldResult& result : results) {
    CHECK_EQUAL(result.number, 0);
    CHECK_EQUAL(result.pid, keeper.pid());
  }
  CHECK_EQUAL(find_holders("blue").size(), 1u);
}

TEST(starts_by_several_processes_make_one_keeper) {
  const int index = create("tap0");
  int ends[2];
  CHECK(::pipe2(ends, O_CLOEXEC) == 0);
  const Descriptor reading(ends[0]);
  Descriptor writing(ends[1]);
  for (int i = 0; i < 8; ++i) {
    if (::fork() != 0) continue;
    const pid_t pid = start("tap0", index).pid;
    ::_exit(::write(writing.number(), &pid, sizeof pid) == sizeof pid ? 0 : 1);
  }
  { const Descriptor closing = std::move(writing); }
  pid_t first = 0;
  CHECK(::read(reading.number(), &first, sizeof first) == sizeof first);
  Kept keeper(first);
  CHECK(first > 0 && keeper.running());
  for (int i = 1; i < 8; ++i) {
    pid_t other = 0;
    CHECK(::read(reading.number(), &other, sizeof other) == sizeof other);
    CHECK_EQUAL(other, first);
  }
  CHECK_EQUAL(find_holders(std::nullopt).size(), 1u);
  for (int i = 0; i < 8; ++i) CHECK(::wait(nullptr) > 0);
}

TEST(an_ended_keeper_is_gone_and_its_link_only_if_nothing_else_keeps_it) {
  const int lasting = create("lasting");
  const int fleeting = create("fleeting");
  Kept first(start("lasting", lasting).pid);
  Kept second(start("fleeting", fleeting).pid);
  set_persist("fleeting", fleeting, false);
  CHECK_EQUAL(end("lasting", lasting).pid, first.pid());
  CHECK(!first.running());
  CHECK(WIFSIGNALED(first.status()) && WTERMSIG(first.status()) == SIGTERM);
  CHECK(second.running());
  CHECK_EQUAL(find_link("lasting").index, lasting);
  const HoldResult again = end("lasting", lasting);
  CHECK_EQUAL(again.number, 0);
  CHECK_EQUAL(again.pid, 0);
  CHECK_EQUAL(end("fleeting", fleeting).pid, second.pid());
  CHECK_EQUAL(find_link("fleeting").index, 0);
  CHECK_EQUAL(end("fleeting", fleeting).number, ENODEV);
}

TEST(a_keeper_that_does_not_end_is_told_so) {
  const int index = create("tap0");
  Kept keeper(start("tap0", index).pid);
  CHECK(::kill(keeper.pid(), SIGSTOP) == 0);
  const std::string status = "/proc/" + std::to_string(keeper.pid()) + "/status";
  CHECK(until([&] { return read_all(status).find("State:\tT") != std::string::npos; }));
  const HoldResult result = end("tap0", index);
  CHECK_EQUAL(result.number, ETIMEDOUT);
  CHECK_EQUAL(find_holders(std::nullopt).size(), 1u);
}

TEST(what_cannot_be_kept_is_refused_and_left_as_it_is) {
  const int single = create("single", IFF_TAP | IFF_NO_PI);
  const int multi = create("multi");
  HoldOperation operations[] = {operation_start("single", single),
                                operation_start("single", single, IFF_TAP),
                                operation_start("multi", multi + 1),
                                operation_start("nothing", multi),
                                operation_start("multi", multi, IFF_TUN | IFF_MULTI_QUEUE),
                                operation_start("multi", multi),
                                operation_start("multi", multi),
                                operation_start("multi", multi)};
  operations[5].lease = "";
  operations[6].lease = std::string(128, 'x');
  operations[7].lease = std::string("a\0b", 3);
  const int numbers[] = {EINVAL, EINVAL, ENODEV, ENODEV, EINVAL, EINVAL, EINVAL, EINVAL};
  const char* const steps[] = {"TUNSETIFF", "TUNSETIFF", "TUNSETIFF", "TUNSETIFF",
                               "TUNSETIFF", "lease",     "lease",     "lease"};
  const auto results =
      run_hold_operations(std::nullopt, {std::begin(operations), std::end(operations)}, helper());
  for (size_t i = 0; i < results.size(); ++i) {
    CHECK_EQUAL(results[i].number, numbers[i]);
    CHECK_EQUAL(results[i].step, steps[i]);
    CHECK_EQUAL(results[i].pid, 0);
  }
  CHECK_EQUAL(end("multi", multi + 1).number, ENODEV);
  CHECK(!find_link("single").pi);
  CHECK_EQUAL(find_holders(std::nullopt).size(), 0u);
  CHECK_EQUAL(error_of([&] { start("multi", multi, "nowhere"); }), ENOENT);
}

TEST(a_helper_that_cannot_be_started_leaves_nothing) {
  const int index = create("tap0");
  const auto with = [&](const std::string& path) {
    return run_hold_operations(std::nullopt, {operation_start("tap0", index)}, path).front();
  };
  CHECK_EQUAL(error_of([&] { with("/run/missing"); }), ENOENT);
  CHECK_EQUAL(error_of([&] { with(""); }), ENOENT);
  std::ofstream("/run/text") << "no program";
  CHECK_EQUAL(error_of([&] { with("/run/text"); }), EACCES);
  CHECK(::chmod("/run/text", 0755) == 0);
  CHECK_EQUAL(with("/run/text").number, ENOEXEC);
  CHECK_EQUAL(with("/run/text").step, "posix_spawn");
  CHECK_EQUAL(with("/bin/true").number, EPIPE);
  CHECK_EQUAL(find_holders(std::nullopt).size(), 0u);
  CHECK(::waitpid(-1, nullptr, WNOHANG) < 0 && errno == ECHILD);
}

TEST(a_keeper_has_nothing_of_its_starter) {
  ::setenv("SECRET", "of the starter", 1);
  int leaky[2];
  CHECK(::pipe(leaky) == 0);  // without O_CLOEXEC
  const Descriptor reading(leaky[0]);
  Descriptor writing(leaky[1]);
  ::signal(SIGINT, SIG_IGN);
  const int index = create("tap0");
  Kept keeper(start("tap0", index).pid);
  ::signal(SIGINT, SIG_DFL);
  { const Descriptor closing = std::move(writing); }
  // Its end: the keeper has no copy.
  pollfd watched{reading.number(), POLLIN, 0};
  CHECK_EQUAL(::poll(&watched, 1, 1000), 1);
  CHECK_EQUAL(watched.revents, POLLHUP);
  const std::string process = "/proc/" + std::to_string(keeper.pid());
  CHECK_EQUAL(::getsid(keeper.pid()), keeper.pid());
  CHECK_EQUAL(target(process + "/cwd"), "/");
  CHECK_EQUAL(read_all(process + "/environ"), "");
  CHECK(read_all(process + "/cmdline") == std::string("tuntap-helper\0hold\0tap0\0lease-of-tap0\0", 38));
  CHECK(until([&] { return target(process + "/fd/2") == "/dev/null"; }));
  CHECK_EQUAL(target(process + "/fd/0"), "/dev/null");
  CHECK_EQUAL(target(process + "/fd/1"), "/dev/null");
  CHECK(target(process + "/fd/3").find("tun") != std::string::npos);
  const std::string status = read_all(process + "/status");
  // SIGHUP and SIGPIPE alone; glibc's posix_spawn ignores two more of its own above 31.
  const size_t ignored = status.find("SigIgn:\t") + 8;
  CHECK_EQUAL(std::stoull(status.substr(ignored, 16), nullptr, 16) & 0x7FFFFFFF, 0x1001u);
  CHECK(status.find("SigBlk:\t0000000000000000") != std::string::npos);
  ::kill(keeper.pid(), SIGHUP);
  ::usleep(50'000);
  CHECK(keeper.running());
}

TEST(whoever_only_looks_like_a_keeper_is_a_consumer) {
  const int index = create("tap0");
  TunOperation give{};
  give.kind = TunOperation::Kind::attach;
  give.name = "tap0";
  give.ifindex = index;
  give.flags = multi_queue;
  give.owner = 1234;
  CHECK_EQUAL(run_tun_operations({give}).front().number, 0);
  CHECK(::mknod("/run/tun", S_IFCHR | 0666, makedev(10, 200)) == 0 && ::chmod("/run/tun", 0666) == 0);
  // Each attaches, becomes `program` with a keeper's arguments, and stays: to a shell, "hold" is a script.
  std::ofstream("/run/hold") << "read never < /run/pipe\n";
  CHECK(::mkfifo("/run/pipe", 0644) == 0 && ::mkdir("/run/fake", 0755) == 0 && ::chdir("/run") == 0);
  const std::string named = std::string("/run/fake/") + helper_name;
  {
    std::ifstream shell("/bin/sh", std::ios::binary);
    std::ofstream(named, std::ios::binary) << shell.rdbuf();
  }
  CHECK(::chmod(named.c_str(), 0755) == 0);
  const auto pretend = [](uid_t user, const std::string& program, bool aside) {
    const pid_t pid = ::fork();
    if (pid != 0) return pid;
    if (::setresuid(user, user, user) < 0) ::_exit(1);
    const int tun = ::open("/run/tun", O_RDWR);
    ifreq request{};
    std::strcpy(request.ifr_name, "tap0");
    request.ifr_flags = static_cast<short>(multi_queue);
    if (::ioctl(tun, TUNSETIFF, &request) < 0) ::_exit(1);
    request.ifr_flags = IFF_DETACH_QUEUE;
    if (aside && ::ioctl(tun, TUNSETQUEUE, &request) < 0) ::_exit(1);
    ::execl(program.c_str(), helper_name, keep_command, "tap0", "lease-of-tap0", nullptr);
    ::_exit(1);
  };
  Kept unprivileged(pretend(1234, named, true));
  Kept other_program(pretend(0, "/bin/sh", true));
  Kept queue_in_use(pretend(0, named, false));
  Kept* const all[] = {&unprivileged, &other_program, &queue_in_use};
  const std::string looks_like = "tuntap-helper hold tap0 lease-of-tap0";
  const auto settled = [&] {
    const auto found = find_holders(std::nullopt);
    return found.size() == 3 && std::all_of(found.begin(), found.end(), [&](auto& holder) {
             return holder.process.command == looks_like;
           });
  };
  CHECK(until(settled));
  for (const Holder& holder : find_holders(std::nullopt)) CHECK(!holder.lease);
  // So a real one is started, and ended alone.
  Kept keeper(start("tap0", index).pid);
  CHECK(keeper.running());
  for (const Holder& holder : find_holders(std::nullopt)) {
    CHECK_EQUAL(holder.lease.has_value(), holder.process.pid == keeper.pid());
  }
  CHECK_EQUAL(end("tap0", index).pid, keeper.pid());
  CHECK(!keeper.running());
  for (Kept* const one : all) CHECK(one->running());
}

TEST(moving_wants_link_messages_and_both_namespaces) {
  add_namespace("blue", std::nullopt);
  const int index = create("tap0");
  const auto replies = move_links(std::nullopt, "blue",
                                  {Bytes(3), delete_link(index), touch_link(index + 7), touch_link(index)});
  const int numbers[] = {EINVAL, EINVAL, ENODEV, 0};
  for (size_t i = 0; i < replies.size(); ++i) CHECK_EQUAL(replies[i].number, numbers[i]);
  CHECK_EQUAL(find_link("tap0").index, 0);
  in_namespace("blue", [&] { CHECK_EQUAL(find_link("tap0").index, index); });
  CHECK_EQUAL(error_of([] { move_links(std::nullopt, "nowhere", {}); }), ENOENT);
  CHECK_EQUAL(error_of([] { move_links("nowhere", "blue", {}); }), ENOENT);
  std::ofstream("/run/netns/plain");
  CHECK_EQUAL(error_of([] { move_links("blue", "plain", {}); }), EINVAL);
  move(index, "blue", std::nullopt);
  CHECK_EQUAL(find_link("tap0").index, index);
}
