/* What a program hears from an odd machine: loaded before the C library, it lets the clock lie
   and the disk be full where the environment says so. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* ODD_CLOCK: seconds by which the wall clock is off. */
int clock_gettime(clockid_t clock, struct timespec *time) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int answer = real(clock, time);
    const char *off = getenv("ODD_CLOCK");
    if (answer == 0 && clock == CLOCK_REALTIME && off) time->tv_sec += atol(off);
    return answer;
}

/* ODD_DISK: while a file stands at this path, no other file takes a byte more. */
static int is_full(int file) {
    const char *mark = getenv("ODD_DISK");
    struct stat status;
    if (!mark || access(mark, F_OK) != 0 || file <= 2) return 0;
    if (fstat(file, &status) != 0 || !S_ISREG(status.st_mode)) return 0;
    errno = ENOSPC;
    return 1;
}

#define ODD(answer, name, declared, given)                       \
    answer name declared {                                       \
        static answer(*real) declared;                           \
        if (!real) real = dlsym(RTLD_NEXT, #name);               \
        return is_full(file) ? -1 : real given;                  \
    }

ODD(ssize_t, write, (int file, const void *bytes, size_t count), (file, bytes, count))
ODD(ssize_t, writev, (int file, const struct iovec *parts, int count), (file, parts, count))
ODD(ssize_t, pwrite, (int file, const void *bytes, size_t count, off_t at), (file, bytes, count, at))
ODD(ssize_t, pwrite64, (int file, const void *bytes, size_t count, off64_t at), (file, bytes, count, at))
