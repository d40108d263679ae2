/*
 * pids.c - each PE prints "pid PID PE", then the job ends: to see whose spools
 * a database was made of.
 *
 * usage: pids [meet N | die]
 *   meet N   before it prints, PE 0 waits until N jobs of this folder are there
 *   die      the last PE kills itself instead
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <c4.h>

enum { PRINT, NENTRIES };
enum { PATIENCE_MS = 5000 };

static c4_err
print_pid(c4_pe *pe, void *self, const void *data, size_t len)
{
    int64_t one = 1;
    c4_callback end = c4_cb_exit();

    (void)self;
    if (len && *(const char *)data && c4_mype(pe) == c4_npes(pe) - 1)
        raise(SIGKILL);
    printf("pid %ld %u\n", (long)getpid(), c4_mype(pe));
    fflush(stdout);
    return c4_reduce(pe, C4_RED_SUM_I64, &one, sizeof(one), &end);
}

static const c4_entry entries[NENTRIES + 1] = { [PRINT] = { "print", print_pid } };
static const c4_type printer = { .name = "printer", .size = 1, .entries = entries };

/* How many files are called meet-...? */
static int
count_present(void)
{
    DIR *d = opendir(".");
    struct dirent *e;
    int n = 0;

    while (d && (e = readdir(d)))
        n += strncmp(e->d_name, "meet-", 5) == 0;
    if (d)
        closedir(d);
    return n;
}

static c4_err
meet(c4_pe *pe, int n)
{
    char name[64];
    int fd;

    snprintf(name, sizeof(name), "meet-%ld", (long)getpid());
    fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0)
        return c4_fail(pe, C4_EIO, "cannot create %s", name);
    close(fd);
    for (int ms = 0; count_present() < n; ms++) {
        if (ms == PATIENCE_MS)
            return c4_fail(pe, C4_ESTATE, "nobody came");
        usleep(1000);
    }
    return C4_OK;
}

static c4_err
pids_main(c4_pe *pe, int argc, char **argv)
{
    char die = argc > 1 && !strcmp(argv[1], "die");
    c4_err e = argc > 2 && !strcmp(argv[1], "meet") ? meet(pe, atoi(argv[2])) : C4_OK;
    c4_group all;

    if (!e)
        e = c4_group_new(pe, &printer, NULL, &all);
    return e ? e : c4_bcast(pe, all, PRINT, &die, 1);
}

int
main(int argc, char **argv)
{
    static const c4_type *const types[] = { &printer, NULL };

    return c4_run(argc, argv, types, pids_main);
}
