#include "printable.h"

#include <cstdint>

namespace tuntap {
namespace {

constexpr char32_t no_character = 0xFFFFFFFF;

/// The character at the beginning of the bytes and how many it has; one byte where that is none.
char32_t decode(const unsigned char* bytes, size_t left, size_t& size) {
  size = 1;
  const unsigned char lead = bytes[0];
  if (lead < 0x80) return lead;
  const size_t wanted = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || wanted > left) return no_character;
  char32_t character = lead & (0xFFU >> (wanted + 1));
  for (size_t i = 1; i < wanted; ++i) {
    if ((bytes[i] & 0xC0) != 0x80) return no_character;
    character = character << 6U | (bytes[i] & 0x3FU);
  }
  // RFC 3629: neither longer than need be, nor half of a pair, nor beyond Unicode.
  if ((wanted == 3 && character < 0x800) || (wanted == 4 && character < 0x10000) || character > 0x10FFFF ||
      (character >= 0xD800 && character <= 0xDFFF)) {
    return no_character;
  }
  size = wanted;
  return character;
}

bool is_obeyed(char32_t c) {
  return c < 0x20 || (c >= 0x7F && c <= 0x9F) || (c >= 0x2028 && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
}

}  // namespace

std::string printable(const std::string& text) {
  std::string result;
  for (size_t at = 0, size = 0; at < text.size(); at += size) {
    const char32_t character =
        decode(reinterpret_cast<const unsigned char*>(&text[at]), text.size() - at, size);
    if (character == no_character || is_obeyed(character)) {
      result += '?';
    } else {
      result.append(text, at, size);
    }
  }
  return result;
}

}  // namespace tuntap
