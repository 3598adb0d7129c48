// Text of which a terminal obeys nothing.
#pragma once

#include <string>

namespace tuntap {

/// The text with a question mark for each control character (C0, DEL, C1), each that turns the direction of
/// what follows or ends a line or paragraph, and each byte that is no UTF-8. provider/printable.ts does it
/// for the rest.
std::string printable(const std::string& text);

}  // namespace tuntap
