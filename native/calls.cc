#include "calls.h"

#include <exception>
#include <system_error>
#include <thread>

namespace tuntap {

struct Calls::Call {
  Napi::Promise::Deferred deferred;
  Work work;
  Outcome outcome;
  std::optional<SystemError> failure;

  void run() {
    try {
      outcome = work();
    } catch (const SystemError& error) {
      failure = error;
    } catch (const std::system_error& error) {
      failure = SystemError{error.code().value(), "thread", {}, {}};
    } catch (const std::exception&) {
      failure = SystemError{ENOMEM, "allocation", {}, {}};
    }
  }
};

/// The way back to the event loop. Threads share it with the environment and find it closed when that is
/// gone.
struct Calls::Gate {
  std::mutex mutex;
  Queue queue;
  bool open = true;
};

Calls::Calls(Napi::Env env) : gate_(std::make_shared<Gate>()) {
  gate_->queue = Queue::New(env, "tuntap", 0, 1, this);
  gate_->queue.Unref(env);
  // Runs before the queue's own hook, which was added earlier: no thread touches a queue that is being freed.
  env.AddCleanupHook([gate = gate_] {
    const std::lock_guard lock(gate->mutex);
    gate->open = false;
  });
}

void Calls::set_error_factory(Napi::Function factory) { error_factory_ = Napi::Persistent(factory); }

Napi::Value Calls::start(Napi::Env env, Work work) {
  auto call = std::unique_ptr<Call>(new Call{Napi::Promise::Deferred::New(env), std::move(work), {}, {}});
  const Napi::Promise promise = call->deferred.Promise();
  const Napi::Promise::Deferred deferred = call->deferred;
  try {
    std::thread([gate = gate_, call = std::move(call)]() mutable {
      call->run();
      const std::lock_guard lock(gate->mutex);
      if (gate->open && gate->queue.NonBlockingCall(call.get()) == napi_ok) call.release();
    }).detach();
  } catch (const std::system_error& error) {
    deferred.Reject(make_error(env, {error.code().value(), "thread", {}, {}}));
    return promise;
  }
  // Only a call under way keeps the process alive.
  if (pending_++ == 0) gate_->queue.Ref(env);
  return promise;
}

void Calls::settle(Napi::Env env, Napi::Function, Calls* calls, Call* call) {
  const std::unique_ptr<Call> owned(call);
  if (static_cast<napi_env>(env) == nullptr) return;  // the environment is being torn down
  if (--calls->pending_ == 0) calls->gate_->queue.Unref(env);
  try {
    if (call->failure) {
      call->deferred.Reject(calls->make_error(env, *call->failure));
    } else {
      call->deferred.Resolve(call->outcome(env));
    }
  } catch (const Napi::Error&) {
    // A worker that is being terminated runs no JavaScript any more, and nobody waits for the promise.
  }
}

Napi::Value Calls::make_error(Napi::Env env, const SystemError& failure) const {
  Napi::Object facts = Napi::Object::New(env);
  facts["errno"] = failure.number;
  facts["operation"] = failure.operation;
  if (!failure.path.empty()) facts["path"] = failure.path;
  if (!failure.extack.empty()) facts["extack"] = failure.extack;
  if (failure.pid != 0) facts["pid"] = failure.pid;
  return error_factory_.Call({facts});
}

}  // namespace tuntap
