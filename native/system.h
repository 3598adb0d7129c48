// What every subject here needs: the one exception, and descriptors that close themselves.
#pragma once

#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace tuntap {

using Bytes = std::vector<uint8_t>;

/// A system call failed. Not for the kernel's answers to single messages: those are results.
struct SystemError {
  int number;             ///< errno
  std::string operation;  ///< system call or ioctl
  std::string path;       ///< the file it was about, where there is one
  std::string extack;     ///< the kernel's own sentence, where it gave one
  pid_t pid = 0;          ///< the process that is in the way, where there is one and it is known
};

class Descriptor {
 public:
  explicit Descriptor(int number = -1) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }

  int number() const { return number_; }
  explicit operator bool() const { return number_ >= 0; }

 private:
  int number_;
};

/// Takes the result of a call that makes a descriptor, or throws what it left in errno.
inline Descriptor descriptor_or_throw(int number, const char* operation, std::string path = {}) {
  if (number < 0) throw SystemError{errno, operation, std::move(path), {}};
  return Descriptor(number);
}

/// Every string that reaches a C interface passes here once: after a NUL byte the kernel would see another
/// name.
inline bool has_nul(const std::string& text) { return text.find('\0') != std::string::npos; }

}  // namespace tuntap
