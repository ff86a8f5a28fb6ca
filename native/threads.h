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
  // while before it gives its processor away.
  void barrier() {
    const unsigned phase = phase_.load(std::memory_order_acquire);
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == count_) {
      arrived_.store(0, std::memory_order_relaxed);
      phase_.store(phase + 1, std::memory_order_release);
      return;
    }
    for (int spins = 0; phase_.load(std::memory_order_acquire) == phase; spins++)
      if (spins < 4000) pause();
      else std::this_thread::yield();
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
};

}  // namespace mindts
