#include "printable.h"

#include "check.h"

using namespace tuntap;
using namespace tuntap::test;

TEST(text_loses_what_a_terminal_obeys) {
  const char* const kept[] = {"",       "qemu -m 512 ~", "Grüße",  "\u00A0", "\u200F",
                              "\u202F", "\u2065",        "\uFFFD", "😀"};
  for (const std::string text : kept) CHECK_EQUAL(printable(text), text);
  CHECK_EQUAL(printable(std::string("a\0b", 3)), "a?b");
  CHECK_EQUAL(printable("\x1b[2J\x7f\n"), "?[2J??");
  // C1, as UTF-8 and as a single byte of an eight-bit terminal; NEL among them.
  CHECK_EQUAL(printable("\u0080\u009b2J\u0085\u009f"), "??2J??");
  CHECK_EQUAL(printable("\x9b"
                        "2J"),
              "?2J");
  CHECK_EQUAL(printable("a\u2028b\u2029c\u202ad\u202ee\u2066f\u2069g"), "a?b?c?d?e?f?g");
}

TEST(text_loses_what_is_no_utf8) {
  CHECK_EQUAL(printable("\xff\xfe"), "??");
  CHECK_EQUAL(printable("\xc3"), "?");
  CHECK_EQUAL(printable("\xc3z"), "?z");
  CHECK_EQUAL(printable("\xe2\x82"), "??");
  CHECK_EQUAL(printable("\xc1\xbf\xe0\x80\xaf\xf0\x80\x80\xaf"), "?????????");  // longer than need be
  CHECK_EQUAL(printable("\xed\xa0\x80"), "???");                                // half of a pair
  CHECK_EQUAL(printable("\xf4\x90\x80\x80"), "????");                           // beyond Unicode
}
