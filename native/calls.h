// Calls from JavaScript that run on a thread of their own and settle a promise.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>

#define NAPI_VERSION 8
#include <napi.h>

#include "system.h"

namespace tuntap {

/// Makes the JavaScript value of a result; runs on the event loop.
using Outcome = std::function<Napi::Value(Napi::Env)>;
/// Does the work; runs on the call's own thread and throws SystemError.
using Work = std::function<Outcome()>;

/// All calls of one JavaScript environment. Its instance data.
class Calls {
 public:
  explicit Calls(Napi::Env env);

  /// The function (facts) => Error that makes what promises are rejected with.
  void set_error_factory(Napi::Function factory);

  /// The path of tuntap-helper.
  void set_helper(std::string path) { helper_ = std::move(path); }
  const std::string& helper() const { return helper_; }

  Napi::Value start(Napi::Env env, Work work);

 private:
  struct Call;
  struct Gate;
  static void settle(Napi::Env env, Napi::Function, Calls* calls, Call* call);
  using Queue = Napi::TypedThreadSafeFunction<Calls, Call, settle>;

  Napi::Value make_error(Napi::Env env, const SystemError& failure) const;

  std::shared_ptr<Gate> gate_;
  Napi::FunctionReference error_factory_;
  std::string helper_;
  size_t pending_ = 0;
};

}  // namespace tuntap
