// A persistent pool of threads that run one job together and meet at barriers inside it.
#pragma once
#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace mindts {

class Threads {
 public:
  explicit Threads(int count) : count_(count) {
    try {
      for (int i = 0; i < count; i++) threads_.emplace_back([this, i] { work(i); });
    } catch (...) {
      end();
      throw;
    }
  }
  ~Threads() { end(); }
  Threads(const Threads&) = delete;

  int count() const { return count_; }

  // Runs job(0) … job(count − 1), each on its thread, and returns when all have.
  void run(const std::function<void(int)>& job) {
    std::unique_lock<std::mutex> lock(mutex_);
    job_ = &job;
    left_ = count_;
    round_++;
    wake_.notify_all();
    done_.wait(lock, [this] { return left_ == 0; });
  }

  // Waits, inside a job, until every thread is here. Steps are a fraction of a millisecond, so a thread spins a
  // while, then sleeps: two that share a processor would else wait for each other's time slices, and it is at
  // waking that the system looks for an idle one.
  void barrier() {
    const unsigned phase = phase_.load();
    if (arrived_.fetch_add(1) + 1 == count_) {
      arrived_.store(0);
      phase_.store(phase + 1);
      if (sleeping_.load() > 0) {
        std::lock_guard<std::mutex> lock(barrier_mutex_);
        next_phase_.notify_all();
      }
      return;
    }
    for (int spins = 0; spins < 8000; spins++) {
      if (phase_.load(std::memory_order_acquire) != phase) return;
      pause();
    }
    std::unique_lock<std::mutex> lock(barrier_mutex_);
    sleeping_.fetch_add(1);
    next_phase_.wait(lock, [&] { return phase_.load() != phase; });
    sleeping_.fetch_sub(1);
  }

 private:
  static void pause() {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
  }

  void work(int index) {
    unsigned seen = 0;
    std::unique_lock<std::mutex> lock(mutex_);
    for (;;) {
      wake_.wait(lock, [&] { return round_ != seen || ended_; });
      if (ended_) return;
      seen = round_;
      const auto* job = job_;
      lock.unlock();
      (*job)(index);
      lock.lock();
      if (--left_ == 0) done_.notify_one();
    }
  }

  void end() {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      ended_ = true;
    }
    wake_.notify_all();
    for (auto& thread : threads_) thread.join();
  }

  const int count_;
  std::vector<std::thread> threads_;
  std::mutex mutex_;
  std::condition_variable wake_, done_;
  const std::function<void(int)>* job_ = nullptr;
  unsigned round_ = 0;
  int left_ = 0;
  bool ended_ = false;
  alignas(64) std::atomic<int> arrived_{0};
  alignas(64) std::atomic<unsigned> phase_{0};
  alignas(64) std::atomic<int> sleeping_{0};
  std::mutex barrier_mutex_;
  std::condition_variable next_phase_;
};

}  // namespace mindts
