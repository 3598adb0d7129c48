#include "programs.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>

#include <algorithm>
#include <chrono>
#include <csignal>

#include "launch.h"

namespace tuntap {
namespace {

constexpr size_t input_limit = 16U << 20U;

using Clock = std::chrono::steady_clock;

std::string find(const Program& program) {
  std::string tried;
  for (const char* const path : program.places) {
    if (path == nullptr) break;
    if (::access(path, X_OK) == 0) return path;
    tried += (tried.empty() ? "" : ", ") + std::string(path);
  }
  throw SystemError{ENOENT, program.name, tried, {}};
}

/// A file in memory: it is written at once, where a pipe would have to be fed while it is read.
Descriptor file_of(const std::string& text) {
  auto file = descriptor_or_throw(::memfd_create("input", MFD_CLOEXEC), "memfd_create");
  for (size_t done = 0; done < text.size();) {
    const ssize_t size = ::write(file.number(), text.data() + done, text.size() - done);
    if (size < 0 && errno != EINTR) throw SystemError{errno, "write", {}, {}};
    if (size > 0) done += size;
  }
  if (::lseek(file.number(), 0, SEEK_SET) < 0) throw SystemError{errno, "lseek", {}, {}};
  return file;
}

struct Pipe {
  Descriptor reading;
  Descriptor writing;

  Pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) < 0) throw SystemError{errno, "pipe2", {}, {}};
    reading = Descriptor(ends[0]);
    writing = Descriptor(ends[1]);
  }
};

/// A process of ours that never stays behind.
class Child {
 public:
  explicit Child(pid_t pid) : pid_(pid) {}
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (pid_ == 0) return;
    ::kill(pid_, SIGKILL);
    wait();
  }

  /// How it ended, as a shell tells it.
  int wait() { return wait_for(std::exchange(pid_, 0)); }

 private:
  pid_t pid_;
};

pid_t start(const Program& program, std::vector<std::string> arguments, const Descriptor& input,
            const Descriptor& output, const Descriptor& errors) {
  const std::string path = find(program);
  for (const std::string& argument : arguments) {
    if (has_nul(argument)) throw SystemError{EINVAL, program.name, argument.c_str(), {}};
  }
  Launch start;
  start.path = path;
  start.arguments = std::move(arguments);
  start.arguments.insert(start.arguments.begin(), path);
  start.environment = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"};
  start.descriptors = {
      {input.number(), STDIN_FILENO}, {output.number(), STDOUT_FILENO}, {errors.number(), STDERR_FILENO}};
  pid_t child = 0;
  const int error = launch(std::move(start), child);
  if (error != 0) throw SystemError{error, program.name, path, {}};
  return child;
}

/// Reads both streams to their ends.
void collect(const Program& program, const Pipe& output, const Pipe& errors, const ProgramLimits& limits,
             ProgramResult& result) {
  const auto end = Clock::now() + std::chrono::milliseconds(limits.milliseconds);
  pollfd watched[] = {{output.reading.number(), POLLIN, 0}, {errors.reading.number(), POLLIN, 0}};
  std::string* const texts[] = {&result.output, &result.errors};
  std::vector<char> buffer(1U << 16U);
  while (watched[0].fd >= 0 || watched[1].fd >= 0) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()).count();
    const int ready = ::poll(watched, 2, static_cast<int>(std::max<int64_t>(left, 0)));
    if (ready < 0 && errno == EINTR) continue;
    if (ready < 0) throw SystemError{errno, "poll", {}, {}};
    if (ready == 0) throw SystemError{ETIMEDOUT, program.name, {}, {}};
    for (int i = 0; i < 2; ++i) {
      if (watched[i].fd < 0 || watched[i].revents == 0) continue;
      const ssize_t size = ::read(watched[i].fd, buffer.data(), buffer.size());
      if (size < 0 && errno == EINTR) continue;
      if (size < 0) throw SystemError{errno, "read", {}, {}};
      if (size == 0) watched[i].fd = -1;
      if (texts[i]->size() + size > limits.output) throw SystemError{EMSGSIZE, program.name, {}, {}};
      texts[i]->append(buffer.data(), size);
    }
  }
}

}  // namespace

ProgramResult run_program(const NamespaceName& place, const Program& program,
                          std::vector<std::string> arguments, const std::string& input,
                          const ProgramLimits& limits) {
  if (input.size() > input_limit) throw SystemError{E2BIG, program.name, {}, {}};
  ProgramResult result;
  in_namespace(place, [&] {
    const Descriptor file = file_of(input);
    Pipe output;
    Pipe errors;
    // It is in the namespace of the thread that starts it.
    Child child(start(program, std::move(arguments), file, output.writing, errors.writing));
    { const Descriptor closing = std::move(output.writing); }
    { const Descriptor closing = std::move(errors.writing); }
    collect(program, output, errors, limits, result);
    result.status = child.wait();
  });
  return result;
}

}  // namespace tuntap
