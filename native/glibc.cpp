// Linked into prebuilt Linux libraries only, so that they load wherever Node 20's own binaries do: glibc 2.28.
// They are linked on newer systems, where the linker takes the newest version of each function. The few that have
// one newer than 2.28 are wrapped (-Wl,--wrap, see build.mjs) and bound to the version before it here, also for the
// calls that the C++ runtime in the library makes. test/package checks that no other has come.
#include <dlfcn.h>
#include <pthread.h>

#if defined(__x86_64__)
#define MINDTS_OLDEST "GLIBC_2.2.5"
#elif defined(__aarch64__)
#define MINDTS_OLDEST "GLIBC_2.17"
#endif

#define MINDTS_BIND(result, name, parameters, arguments)                 \
  extern "C" result old_##name parameters;                               \
  __asm__(".symver old_" #name ", " #name "@" MINDTS_OLDEST);            \
  extern "C" result __wrap_##name parameters { return old_##name arguments; }

// 2.29: the same numbers, without a wrapper that sets errno.
MINDTS_BIND(double, log, (double x), (x))
MINDTS_BIND(double, pow, (double x, double y), (x, y))
// 2.34: moved from libpthread to libc. On older systems Node itself has loaded libpthread.
MINDTS_BIND(int, pthread_create, (pthread_t * t, const pthread_attr_t* a, void* (*f)(void*), void* x), (t, a, f, x))
MINDTS_BIND(int, pthread_join, (pthread_t t, void** result), (t, result))
// 2.34: moved from libdl to libc, likewise.
MINDTS_BIND(void*, dlopen, (const char* file, int flags), (file, flags))
MINDTS_BIND(void*, dlsym, (void* library, const char* name), (library, name))
MINDTS_BIND(char*, dlerror, (), ())

// 2.33: before, each program had its own, which called this with the layout that it was compiled for.
struct stat;
extern "C" int old_fxstat(int layout, int file, struct stat* facts);
__asm__(".symver old_fxstat, __fxstat@" MINDTS_OLDEST);
#if defined(__x86_64__)
constexpr int stat_layout = 1;
#else
constexpr int stat_layout = 0;
#endif
extern "C" int __wrap_fstat(int file, struct stat* facts) { return old_fxstat(stat_layout, file, facts); }

// 2.32: tells the C++ runtime that reference counts need no atomics. 0: they always do.
extern "C" char __libc_single_threaded;
char __libc_single_threaded = 0;
