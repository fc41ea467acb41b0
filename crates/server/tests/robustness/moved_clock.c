/* Moves the wall clock of the process that loads it, by as many seconds as a file says; after '=' the file says where it stands
   still. Monotonic clocks go on as they do. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static void move(struct timespec *time)
{
    char text[32] = {0};
    const char *path = getenv("MOVED_CLOCK_FILE");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0)
        return;
    if (read(file, text, sizeof text - 1) < 0)
        text[0] = 0;
    close(file);
    if (text[0] == '=')
        *time = (struct timespec){.tv_sec = atol(text + 1)};
    else
        time->tv_sec += atol(text);
}

int clock_gettime(clockid_t clock, struct timespec *time)
{
    int result = (int)syscall(SYS_clock_gettime, clock, time);
    if (result == 0 && clock == CLOCK_REALTIME)
        move(time);
    return result;
}
