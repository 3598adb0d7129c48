#include "hold.h"

#include <fcntl.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstring>
#include <fstream>
#include <iterator>
#include <thread>

#include "check.h"
#include "keeper.h"
#include "keepers.h"
#include "messages.h"
#include "processes.h"
#include "tun.h"

using namespace tuntap;
using namespace tuntap::test;

TEST(a_second_start_finds_the_first) {
  const int index = create("tap0");
  const HoldOperation twice = start_of("tap0", index);
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

TEST(a_signal_to_its_starters_group_ends_no_keeper) {
  const int index = create("tap0");
  const pid_t starter = ::fork();
  if (starter == 0) {
    // As a terminal does on Ctrl-C, but all the time. The starter itself goes on, as Node.js does.
    ::setpgid(0, 0);
    ::signal(SIGINT, [](int) {});
    std::atomic<bool> done{false};
    std::thread terminal([&] {
      while (!done) ::kill(0, SIGINT), ::usleep(50);
    });
    int failed = 0;
    for (int i = 0; i < 100; ++i) {
      if (start("tap0", index).pid == 0 || end("tap0", index).pid == 0) ++failed;
    }
    done = true;
    terminal.join();
    ::_exit(failed);
  }
  int status = 0;
  CHECK(::waitpid(starter, &status, 0) == starter);
  CHECK(WIFEXITED(status));
  CHECK_EQUAL(WEXITSTATUS(status), 0);
  CHECK(until([] { return ::waitpid(-1, nullptr, WNOHANG) < 0 && errno == ECHILD; }));
}

TEST(a_keeper_gets_its_descriptors_whatever_numbers_they_have_here) {
  const int index = create("tap0");
  for (int free = 1; free < 16; ++free) {
    const pid_t starter = ::fork();
    if (starter == 0) {
      // What is opened next has these numbers.
      for (int number = 0; number < 4; ++number)
        if (free & 1 << number) ::close(number);
      const bool kept = start("tap0", index).pid != 0 && find_holders(std::nullopt).size() == 1;
      ::_exit(kept && end("tap0", index).pid != 0 ? 0 : 1);
    }
    int status = 0;
    CHECK(::waitpid(starter, &status, 0) == starter);
    CHECK_EQUAL(status == 0 ? 0 : free, 0);
  }
  CHECK(until([] { return ::waitpid(-1, nullptr, WNOHANG) < 0 && errno == ECHILD; }));
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
  HoldOperation operations[] = {start_of("single", single),
                                start_of("single", single, IFF_TAP),
                                start_of("multi", multi + 1),
                                start_of("nothing", multi),
                                start_of("multi", multi, IFF_TUN | IFF_MULTI_QUEUE),
                                start_of("multi", multi),
                                start_of("multi", multi),
                                start_of("multi", multi)};
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

TEST(nothing_is_begun_where_descriptors_run_out) {
  const int index = create("tap0");
  Kept keeper(start("tap0", index).pid);
  int error = 0;
  // One for the namespace, and none to look for keepers with.
  with_descriptors_left(1, [&] { error = error_of([&] { end("tap0", index); }); });
  CHECK_EQUAL(error, EMFILE);
  CHECK(keeper.running());
  CHECK_EQUAL(end("tap0", index).pid, keeper.pid());
}

TEST(what_was_done_is_told_also_where_the_namespace_goes) {
  add_namespace("blue", std::nullopt);
  int index = 0;
  in_namespace("blue", [&] { index = create("tap0"); });
  std::ofstream("/run/remover") << "#!/bin/sh\numount -l /run/netns/blue && rm /run/netns/blue\n";
  CHECK(::chmod("/run/remover", 0755) == 0);
  const auto results = run_hold_operations(
      "blue", {start_of("tap0", index), {HoldOperation::Kind::end, "tap0", index, 0, {}}}, "/run/remover");
  CHECK_EQUAL(results[0].number, EPIPE);
  CHECK_EQUAL(results[0].status.value_or(-1), 0);
  CHECK_EQUAL(results[1].number, ENOENT);
  CHECK_EQUAL(results[1].step, "setns");
}

TEST(a_helper_that_cannot_be_started_leaves_nothing) {
  const int index = create("tap0");
  const auto with = [&](const std::string& path) {
    return run_hold_operations(std::nullopt, {start_of("tap0", index)}, path).front();
  };
  CHECK_EQUAL(error_of([&] { with("/run/missing"); }), ENOENT);
  CHECK_EQUAL(error_of([&] { with(""); }), ENOENT);
  std::ofstream("/run/text") << "no program";
  CHECK_EQUAL(error_of([&] { with("/run/text"); }), EACCES);
  CHECK(::chmod("/run/text", 0755) == 0);
  CHECK_EQUAL(with("/run/text").number, ENOEXEC);
  CHECK_EQUAL(with("/run/text").step, "posix_spawn");
  const HoldResult ended = with("/bin/true");
  CHECK_EQUAL(ended.number, EPIPE);
  CHECK_EQUAL(ended.step, helper_name);
  CHECK_EQUAL(ended.status.value_or(-1), 0);
  std::ofstream("/run/text") << "#!/bin/sh\nkill -KILL $$\n";
  CHECK_EQUAL(with("/run/text").number, EPIPE);
  CHECK_EQUAL(with("/run/text").status.value_or(-1), 128 + SIGKILL);
  CHECK_EQUAL(find_holders(std::nullopt).size(), 0u);
  CHECK(::waitpid(-1, nullptr, WNOHANG) < 0 && errno == ECHILD);
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
