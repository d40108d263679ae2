/*
 * segment.c - making the shared memory of a job, and describing it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/membarrier.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "launch.h"
#include "ring.h"

#define GIB (UINT64_C(1) << 30)

/* Rings of many PEs are small, since there are npes squared of them: all of
 * them together take 20 MiB with 8 PEs and 800 MiB with 256. */
void
c4i_layout_init(c4i_layout *l, uint32_t npes, uint64_t arena_bytes)
{
    static const struct { uint32_t npes, nslots, payload; } sizes[] = {
        { 8, 1024, 256 << 10 }, { 16, 512, 128 << 10 }, { 32, 256, 64 << 10 },
        { 64, 256, 32 << 10 }, { 128, 128, 16 << 10 }, { C4I_MAXPES, 64, 8 << 10 }
    };
    size_t i = 0, end;

    while (npes > sizes[i].npes)
        i++;
    l->nslots = sizes[i].nslots;
    l->payload_bytes = sizes[i].payload;
    l->payload_max = sizes[i].payload / 8 < 4096 ? sizes[i].payload / 8 : 4096;
    /* A line more than a multiple of the page, so that the first slots of all
     * rings do not meet in one set of the cache. */
    l->ring_stride = sizeof(struct c4i_ring_head) + l->nslots * sizeof(struct c4i_slot) +
                     l->payload_bytes + C4I_LINE;
    end = C4I_CONTROL_BYTES + (npes - 1) * l->ring_stride;
    l->arena_off = (end + 0xffff) & ~(size_t)0xffff;
    l->segment_bytes = l->arena_off + arena_bytes;
}

size_t
c4i_layout_ring(const c4i_layout *l, uint32_t dst, uint32_t src)
{
    return C4I_CONTROL_BYTES + (src < dst ? src : src - 1) * l->ring_stride;
}

/* Address space costs nothing, but each PE maps all segments: eight times the
 * memory of the machine, at most 32 TiB in all, less under ulimit -v. */
static uint64_t
default_arena_bytes(uint32_t npes)
{
    uint64_t memory = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t most = 32768 * GIB / npes, n = 8 * GIB;
    struct rlimit as;

    while (n < 8 * memory && 2 * n <= most)
        n *= 2;
    if (!getrlimit(RLIMIT_AS, &as) && as.rlim_cur != RLIM_INFINITY)
        while (n * npes > as.rlim_cur / 2 && n > GIB / 16)
            n /= 2;
    return n;
}

/* Whole cores of the control group's quota, rounded up; 0: no quota. */
static uint32_t
quota_cores(void)
{
    FILE *f = fopen("/sys/fs/cgroup/cpu.max", "re");
    unsigned long quota, period;
    uint32_t cores = 0;

    if (!f)
        return 0;
    if (fscanf(f, "%lu %lu", &quota, &period) == 2 && period > 0)
        cores = (uint32_t)((quota + period - 1) / period);
    fclose(f);
    return cores;
}

uint32_t
c4i_usable_cores(void)
{
    uint32_t quota = quota_cores(), cores = 1;
    cpu_set_t set;

    if (!sched_getaffinity(0, sizeof(set), &set))
        cores = (uint32_t)CPU_COUNT(&set);
    else if (sysconf(_SC_NPROCESSORS_ONLN) > 0)
        cores = (uint32_t)sysconf(_SC_NPROCESSORS_ONLN);
    if (quota && quota < cores)
        cores = quota;
    return cores ? cores : 1;
}

static bool
have_asymmetric_barrier(void)
{
    int all = MEMBARRIER_CMD_GLOBAL_EXPEDITED | MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED;
    long got = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);

    return got > 0 && (got & all) == all;
}

static c4_err
segment_new(const c4i_control *control, const c4i_layout *l, int *out)
{
    char name[32];
    int fd, code;

    snprintf(name, sizeof(name), "c4-pe%u", control->pe);
    fd = memfd_create(name, MFD_CLOEXEC);
    if (fd < 0)
        return C4_EIO;
    if (ftruncate(fd, (off_t)l->segment_bytes) ||
        fallocate(fd, 0, 0, (off_t)l->arena_off) ||
        pwrite(fd, control, sizeof(*control), 0) != (ssize_t)sizeof(*control)) {
        code = errno;
        close(fd);
        errno = code;
        return C4_ENOMEM;
    }
    *out = fd;
    return C4_OK;
}

c4_err
c4i_segments_new(uint32_t npes, uint64_t arena_bytes, int *fd)
{
    static const c4i_control zero;
    c4i_control control = zero;
    c4i_layout l;

    control.magic = C4I_SEGMENT_MAGIC;
    control.npes = npes;
    /* It interrupts the other cores, microseconds each time: too much where PEs
     * share cores and sleep at once. */
    control.asymmetric = npes <= c4i_usable_cores() && have_asymmetric_barrier();
    control.arena_bytes = arena_bytes ? arena_bytes : default_arena_bytes(npes);
    c4i_layout_init(&l, npes, control.arena_bytes);
    for (control.pe = 0; control.pe < npes; control.pe++) {
        c4_err err = segment_new(&control, &l, &fd[control.pe]);

        if (err) {
            int code = errno;

            while (control.pe-- > 0)
                close(fd[control.pe]);
            errno = code;
            return err;
        }
    }
    return C4_OK;
}

/* ---- C4_SHM --------------------------------------------------------------- */

/* "1 PE NPES NCORES ZERO LIFELINE OUT ERR FD FD ..."; 1 is the version. */
char *
c4i_launch_format(const c4i_launch *l)
{
    size_t cap = 128 + 12 * (size_t)l->npes, n;
    char *text = malloc(cap);

    if (!text)
        return NULL;
    n = (size_t)snprintf(text, cap, "1 %u %u %u %llu %d %d %d", l->pe, l->npes, l->ncores,
                         (unsigned long long)l->zero_ns, l->lifeline, l->out, l->err);
    for (uint32_t i = 0; i < l->npes; i++)
        n += (size_t)snprintf(text + n, cap - n, " %d", l->fd[i]);
    return text;
}

c4_err
c4i_launch_parse(const char *text, c4i_launch *l)
{
    unsigned long long zero;
    unsigned version;
    int n;

    if (sscanf(text, "%u %u %u %u %llu %d %d %d%n", &version, &l->pe, &l->npes, &l->ncores,
               &zero, &l->lifeline, &l->out, &l->err, &n) != 8)
        return C4_EFORMAT;
    if (version != 1 || l->npes < 1 || l->npes > C4I_MAXPES || l->pe >= l->npes)
        return C4_EFORMAT;
    l->zero_ns = zero;
    text += n;
    for (uint32_t i = 0; i < l->npes; i++, text += n)
        if (sscanf(text, " %d%n", &l->fd[i], &n) != 1 || l->fd[i] < 0)
            return C4_EFORMAT;
    return C4_OK;
}
