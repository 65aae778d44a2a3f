/* Stops one thread of a process for some milliseconds, as a debugger does: the other threads go on.
   Usage: stop_thread THREAD MILLISECONDS */
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  pid_t thread = atoi(argv[1]);
  int status;
  if (ptrace(PTRACE_SEIZE, thread, 0, 0) != 0 || ptrace(PTRACE_INTERRUPT, thread, 0, 0) != 0 ||
      waitpid(thread, &status, __WALL) != thread) {
    perror("ptrace");
    return 1;
  }
  usleep((useconds_t)atoi(argv[2]) * 1000);
  return ptrace(PTRACE_DETACH, thread, 0, 0) == 0 ? 0 : 1;
}
