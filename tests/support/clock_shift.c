// Sets the system clock for one process: preloaded before the C library, it adds the seconds in the file
// $HUBMARK_TEST_CLOCK to the time of day. A wait until a time of that clock lasts as long as if the machine's clock had
// been set.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t none;
static volatile int64_t *shift = &none;

__attribute__((constructor)) static void begin(void) {
  const char *name = getenv("HUBMARK_TEST_CLOCK");
  int file = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
  if (file < 0) return;
  void *seen = mmap(NULL, sizeof *shift, PROT_READ, MAP_SHARED, file, 0);
  close(file);
  if (seen != MAP_FAILED) shift = seen;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
  if (syscall(SYS_clock_gettime, clock, now) != 0) return -1;
  if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) now->tv_sec += *shift;
  return 0;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  (void)zone;
  struct timespec precise;
  clock_gettime(CLOCK_REALTIME, &precise);
  now->tv_sec = precise.tv_sec;
  now->tv_usec = precise.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *now) {
  struct timespec precise;
  clock_gettime(CLOCK_REALTIME, &precise);
  if (now) *now = precise.tv_sec;
  return precise.tv_sec;
}

int timespec_get(struct timespec *now, int base) {
  return base == TIME_UTC && clock_gettime(CLOCK_REALTIME, now) == 0 ? base : 0;
}

typedef int wait_until(pthread_cond_t *restrict, pthread_mutex_t *restrict, const struct timespec *restrict);

// Times of the monotonic clock are far below those of the system clock.
static int is_monotonic(const struct timespec *moment) { return moment->tv_sec < 1000000000; }

int pthread_cond_timedwait(pthread_cond_t *restrict condition, pthread_mutex_t *restrict mutex,
                           const struct timespec *restrict moment) {
  static wait_until *real;
  if (!real) real = (wait_until *)dlsym(RTLD_NEXT, "pthread_cond_timedwait");
  if (is_monotonic(moment)) return real(condition, mutex, moment);
  for (;;) {
    struct timespec now, next_check;
    clock_gettime(CLOCK_REALTIME, &now);
    if (now.tv_sec > moment->tv_sec || (now.tv_sec == moment->tv_sec && now.tv_nsec >= moment->tv_nsec)) return ETIMEDOUT;
    syscall(SYS_clock_gettime, CLOCK_REALTIME, &next_check);
    next_check.tv_nsec += 20000000;
    if (next_check.tv_nsec >= 1000000000) next_check.tv_sec++, next_check.tv_nsec -= 1000000000;
    struct timespec there = *moment;
    there.tv_sec -= *shift;
    int sooner = there.tv_sec < next_check.tv_sec || (there.tv_sec == next_check.tv_sec && there.tv_nsec < next_check.tv_nsec);
    int result = real(condition, mutex, sooner ? &there : &next_check);
    if (result != ETIMEDOUT) return result;
  }
}

// In the GNU C library, the types of C threads are those of POSIX threads.
int cnd_timedwait(cnd_t *restrict condition, mtx_t *restrict mutex, const struct timespec *restrict moment) {
  int result = pthread_cond_timedwait((pthread_cond_t *)condition, (pthread_mutex_t *)mutex, moment);
  return result == 0 ? thrd_success : result == ETIMEDOUT ? thrd_timedout : thrd_error;
}
