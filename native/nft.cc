#include "nft.h"

#include <algorithm>
#include <string_view>

namespace tuntap {
namespace {

constexpr Program nft{"nft", {"/usr/sbin/nft", "/sbin/nft", "/usr/bin/nft", "/usr/local/sbin/nft"}};
constexpr int deepest = 64;

/// Reads JSON without escapes, for its form alone.
class Reader {
 public:
  explicit Reader(std::string_view text) : left_(text) {}

  bool is_object() {
    skip_blanks();
    if (left_.empty() || left_.front() != '{' || !value(0)) return false;
    skip_blanks();
    return left_.empty();
  }

 private:
  bool value(int depth) {
    skip_blanks();
    if (depth > deepest || left_.empty()) return false;
    switch (left_.front()) {
      case '{':
        return list('}', [&] { return text() && take(':') && value(depth + 1); });
      case '[':
        return list(']', [&] { return value(depth + 1); });
      case '"':
        return text();
      default:
        return word("null") || word("true") || word("false") || number();
    }
  }

  template <typename Element>
  bool list(char end, Element element) {
    left_.remove_prefix(1);
    if (take(end)) return true;
    do {
      if (!element()) return false;
    } while (take(','));
    return take(end);
  }

  bool text() {
    if (!take('"')) return false;
    for (size_t i = 0; i < left_.size(); ++i) {
      const auto c = static_cast<unsigned char>(left_[i]);
      if (c == '\\' || c < ' ') return false;
      if (c != '"') continue;
      left_.remove_prefix(i + 1);
      return true;
    }
    return false;
  }

  bool number() {
    if (left_.front() == '-') left_.remove_prefix(1);
    const size_t digits = std::min(left_.find_first_not_of("0123456789"), left_.size());
    left_.remove_prefix(digits);
    return digits > 0;
  }

  bool word(std::string_view expected) {
    if (left_.substr(0, expected.size()) != expected) return false;
    left_.remove_prefix(expected.size());
    return true;
  }

  bool take(char expected) {
    skip_blanks();
    if (left_.empty() || left_.front() != expected) return false;
    left_.remove_prefix(1);
    return true;
  }

  void skip_blanks() { left_.remove_prefix(std::min(left_.find_first_not_of(" \t\r\n"), left_.size())); }

  std::string_view left_;
};

}  // namespace

ProgramResult run_nft(const NamespaceName& place, const std::string& json) {
  if (!Reader(json).is_object()) throw SystemError{EINVAL, "nft input", json.substr(0, 40), {}};
  return run_program(place, nft, {"-j", "-f", "-"}, json);
}

}  // namespace tuntap
