/* Kills the process at the nth write of SQLite, or takes the machine's power: loaded before libc (LD_PRELOAD).

   What was written since the last sync of its file is put back as it was before, all of it or every other piece,
   as a disk does that had not written it yet. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum mode { BEFORE, AFTER, HALF, POWER, POWER_IN_PART };

struct piece {
    int file;
    off_t where, before;
    size_t size;
    char *old;
};

static struct piece pieces[100000];
static int count, calls, deadly = -1, mode, armed;

void power_arm(int nth, int how) { calls = 0; deadly = nth; mode = how; armed = 1; }

int power_calls(void) { return calls; }

static void end(void) {
    ssize_t (*put)(int, const void *, size_t, off_t) = dlsym(RTLD_NEXT, "pwrite64");
    for (int i = count - 1; i >= 0 && mode >= POWER; i--) {
        struct piece *piece = &pieces[i];
        if (piece->file < 0 || (mode == POWER_IN_PART && i % 2))
            continue;
        if (put(piece->file, piece->old, piece->size, piece->where) < 0)
            _exit(3);
        if (mode == POWER && ftruncate(piece->file, piece->before))
            _exit(3);
    }
    _exit(9);
}

static int dies(void) { return armed && calls++ == deadly; }

static void remember(int file, size_t size, off_t where) {
    struct stat now;
    struct piece *piece = &pieces[count];
    if (!armed || fstat(file, &now) || !S_ISREG(now.st_mode) || count == 100000)
        return;
    *piece = (struct piece){file, where, now.st_size, size, calloc(1, size)};
    if (pread(file, piece->old, size, where) < 0)
        _exit(4);
    count++;
}

ssize_t pwrite64(int file, const void *bytes, size_t size, off_t where) {
    ssize_t (*put)(int, const void *, size_t, off_t) = dlsym(RTLD_NEXT, "pwrite64");
    int last = dies();
    if (last && mode == BEFORE)
        end();
    remember(file, size, where);
    ssize_t wrote = put(file, bytes, last && mode == HALF ? size / 2 : size, where);
    if (last)
        end();
    return wrote;
}

static void synced(int file) {
    for (int i = 0; i < count; i++)
        if (pieces[i].file == file)
            pieces[i].file = -1;
}

static int sync_as(const char *name, int file) {
    int (*put)(int) = dlsym(RTLD_NEXT, name);
    int last = dies();
    if (last && mode != AFTER)
        end();
    int failed = put(file);
    synced(file);
    if (last)
        end();
    return failed;
}

int fdatasync(int file) { return sync_as("fdatasync", file); }

int fsync(int file) { return sync_as("fsync", file); }

int close(int file) {
    int (*put)(int) = dlsym(RTLD_NEXT, "close");
    synced(file); /* its number may be another file's from now on */
    return put(file);
}

int ftruncate64(int file, off_t size) {
    int (*put)(int, off_t) = dlsym(RTLD_NEXT, "ftruncate64");
    int last = dies();
    if (last && mode != AFTER)
        end();
    int failed = put(file, size);
    if (last)
        end();
    return failed;
}

int unlink(const char *path) {
    int (*put)(const char *) = dlsym(RTLD_NEXT, "unlink");
    int last = dies();
    if (last && mode != AFTER)
        end();
    int failed = put(path);
    if (last)
        end();
    return failed;
}
