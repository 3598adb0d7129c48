#include "nft.h"

#include "check.h"
#include "namespace.h"

using namespace tuntap;
using namespace tuntap::test;

TEST(nft_works_in_the_namespace_that_is_named) {
  add_namespace("blue", std::nullopt);
  const std::string list = R"({"nftables":[{"list":{"tables":null}}]})";
  const ProgramResult added =
      run_nft("blue", R"({"nftables":[{"add":{"table":{"family":"inet","name":"t1"}}}]})");
  CHECK_EQUAL(added.errors, "");
  CHECK_EQUAL(added.status, 0);
  CHECK(run_nft("blue", list).output.find("\"t1\"") != std::string::npos);
  CHECK(run_nft(std::nullopt, list).output.find("\"t1\"") == std::string::npos);
  CHECK_EQUAL(error_of([&] { run_nft("green", list); }), ENOENT);
  const ProgramResult refused =
      run_nft("blue", R"({"nftables":[{"delete":{"table":{"family":"inet","name":"t2"}}}]})");
  CHECK_EQUAL(refused.status, 1);
  CHECK(!refused.errors.empty());
}

TEST(nft_gets_nothing_but_json_without_escapes) {
  const char* const refused[] = {"",
                                 "nonsense",
                                 "[]",
                                 "\"x\"",
                                 "flush ruleset",
                                 "include \"/etc/shadow\"",
                                 "{}; flush ruleset",
                                 "{\n}\nflush ruleset",
                                 "{\"a\"; flush ruleset}",
                                 R"({"a":"b\" ; flush ruleset ; "})",
                                 R"({"a":"b\u0000"})",
                                 "{\"a\":\"b\nc\"}",
                                 "{\"a\":flush}",
                                 "{\"a\":1,}",
                                 "{\"a\":[1,]}",
                                 "{\"a\":[1}",
                                 "{\"a\":-}",
                                 "{\"a\" 1}",
                                 "{a:1}",
                                 "{\"a\":\"b}"};
  for (const char* const text : refused) CHECK_EQUAL(error_of([&] { run_nft(std::nullopt, text); }), EINVAL);
  CHECK_EQUAL(error_of([] { run_nft(std::nullopt, std::string("{}\0", 3)); }), EINVAL);
  std::string deep = R"({"a":)" + std::string(100'000, '[');
  CHECK_EQUAL(error_of([&] { run_nft(std::nullopt, deep); }), EINVAL);
}

TEST(nft_gets_all_forms_of_json) {
  const std::string json =
      " {\n\"nftables\" : [ {\"add\":{\"table\":{\"family\":\"inet\",\"name\":\"t\"}}},\t{\"add\":{\"chain\":"
      "{\"family\":\"inet\",\"table\":\"t\",\"name\":\"c\",\"type\":\"filter\",\"hook\":\"forward\",\"prio\":"
      "-7,"
      "\"policy\":\"accept\"}}}, {\"add\":{\"rule\":{\"family\":\"inet\",\"table\":\"t\",\"chain\":\"c\","
      "\"expr\":[{\"counter\":null},{\"accept\":null}]}}}, {\"list\":{\"chains\":null}} ] }\n";
  const ProgramResult result = run_nft(std::nullopt, json);
  CHECK_EQUAL(result.errors, "");
  CHECK(result.output.find("\"prio\": -7") != std::string::npos);
}
