#include "launch.h"

#include <fcntl.h>

#include <csignal>
#include <cstdlib>

#include "check.h"

using namespace tuntap;
using namespace tuntap::test;

namespace {

int run(const std::string& script, std::vector<GivenDescriptor> descriptors, Signals signals) {
  Launch start;
  start.path = "/bin/sh";
  start.arguments = {"sh", "-c", script};
  start.descriptors = std::move(descriptors);
  start.signals = signals;
  pid_t child = 0;
  CHECK_EQUAL(launch(std::move(start), child), 0);
  return wait_for(child);
}

}  // namespace

TEST(given_descriptors_may_change_places) {
  int ends[2];
  CHECK(::pipe2(ends, O_CLOEXEC) == 0);
  const Descriptor reading(ends[0]);
  const Descriptor writing(ends[1]);
  CHECK(reading.number() < first_not_given && writing.number() < first_not_given);
  const std::string in = std::to_string(writing.number());
  const std::string out = std::to_string(reading.number());
  const std::string script = "echo word >&" + out + " && read word <&" + in + " && [ $word = word ]";
  CHECK_EQUAL(run(script, {{reading.number(), writing.number()}, {writing.number(), reading.number()}},
                  Signals::open),
              0);
  // And one may have the number already that it is to have.
  CHECK_EQUAL(run("echo x >&" + in, {{writing.number(), writing.number()}}, Signals::open), 0);
}

TEST(a_program_starts_with_signals_open_or_blocked) {
  CHECK_EQUAL(run("kill -TERM $$; exit 7", {}, Signals::open), 128 + SIGTERM);
  CHECK_EQUAL(run("kill -TERM $$; exit 7", {}, Signals::blocked), 7);
  const std::string own_group = "[ \"$(cut -d' ' -f5 /proc/$$/stat)\" = $$ ]";
  CHECK_EQUAL(run("PATH=/bin:/usr/bin; " + own_group, {}, Signals::open), 0);
}
