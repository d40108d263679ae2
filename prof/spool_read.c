/*
 * spool_read.c - the reading side of a spool; spool_read.h has the contract.
 */
#define _GNU_SOURCE 1
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "prof/spool_read.h"

/* ---- Heads ------------------------------------------------------------------ */

/* The rate over the whole recording, if the second pair of readings is sane. */
static double
best_rate(const c4i_spool_head *h)
{
    double rate = h->ns_per_tick, longer;

    if (h->live_ticks <= h->start_ticks || h->live_mono_ns <= h->start_mono_ns
        || h->live_mono_ns - h->start_mono_ns < 10000000)
        return rate;
    longer = (double)(h->live_mono_ns - h->start_mono_ns)
             / (double)(h->live_ticks - h->start_ticks);
    return fabs(longer / rate - 1) < 0.01 ? longer : rate;
}

static const char *
head_fault(const c4i_spool_head *h, const char *magic)
{
    if (strncmp(h->magic, magic, sizeof(h->magic)) != 0)
        return "it is not a spool of c4";
    if (h->version != C4I_SPOOL_VERSION)
        return "it was written by another version of c4";
    if (h->sum != c4i_fnv1a(h, offsetof(c4i_spool_head, sum)))
        return "its head is damaged";
    if (h->head_size != C4I_SPOOL_HEAD || h->rec_size != sizeof(c4i_rec))
        return "its head is damaged";
    if (!(h->ns_per_tick > 1e-3 && h->ns_per_tick < 1e6))
        return "its clock is damaged";
    if (h->npes == 0 || h->pe >= h->npes || h->npes > 1u << 24)
        return "its PE number is damaged";
    return NULL;
}

static uint64_t
count_records(const c4i_spool_in *in)
{
    uint64_t n = (in->len - C4I_SPOOL_HEAD) / sizeof(c4i_rec), lo = 0;

    while (lo < n) {
        uint8_t kind = in->bytes[C4I_SPOOL_HEAD + lo * sizeof(c4i_rec)];

        if (kind == C4I_REC_END || kind >= C4I_NRECS)
            break;
        lo++;
    }
    return lo;
}

c4_err
c4i_spool_parse(c4i_spool_in *in, const void *bytes, size_t len, const char *magic,
                char *err, size_t nerr)
{
    const char *fault;

    memset(in, 0, sizeof(*in));
    if (len < C4I_SPOOL_HEAD) {
        snprintf(err, nerr, "it is too short for a spool of c4");
        return C4_EFORMAT;
    }
    memcpy(&in->head, bytes, sizeof(in->head));
    if ((fault = head_fault(&in->head, magic))) {
        snprintf(err, nerr, "%s", fault);
        return C4_EFORMAT;
    }
    in->head.host[sizeof(in->head.host) - 1] = 0;
    in->bytes = bytes;
    in->len = len;
    in->ns_per_tick = best_rate(&in->head);
    in->nrecs = strcmp(magic, C4I_SPOOL_MAGIC) == 0 ? count_records(in) : 0;
    return C4_OK;
}

c4_err
c4i_spool_open(c4i_spool_in *in, const char *path, const char *magic, bool over, char *err,
               size_t nerr)
{
    char why[200] = "";
    struct stat st;
    void *map = MAP_FAILED;
    c4_err e = C4_EIO;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    memset(in, 0, sizeof(*in));
    if (fd < 0 || fstat(fd, &st) != 0) {
        snprintf(why, sizeof(why), "%s", strerror(errno));
    } else if (!over && flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        snprintf(why, sizeof(why), "its PE is still running");
        e = C4_ESTATE;
    } else if (st.st_size < C4I_SPOOL_HEAD) {
        snprintf(why, sizeof(why), "it is too short for a spool of c4");
        e = C4_EFORMAT;
    } else {
        map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
        if (map == MAP_FAILED)
            snprintf(why, sizeof(why), "%s", strerror(errno));
        else
            e = c4i_spool_parse(in, map, (size_t)st.st_size, magic, why, sizeof(why));
    }
    if (fd >= 0)
        close(fd);
    if (e) {
        if (map != MAP_FAILED)
            munmap(map, (size_t)st.st_size);
        snprintf(err, nerr, "cannot read %s: %s", path, why);
        return e;
    }
    in->mapped = true;
    return C4_OK;
}

void
c4i_spool_release(c4i_spool_in *in)
{
    if (in->mapped)
        munmap((void *)(uintptr_t)in->bytes, in->len);
    memset(in, 0, sizeof(*in));
}

/* ---- Time ------------------------------------------------------------------- */

void
c4i_spool_share_clock(c4i_spool_in *in, const c4i_spool_in *from)
{
    in->ns_per_tick = from->ns_per_tick;
    in->head.start_ticks = from->head.start_ticks;
    in->head.start_mono_ns = from->head.start_mono_ns;
    in->head.zero_mono_ns = from->head.zero_mono_ns;
}

static uint64_t
to_u64(double v)
{
    return v > 0 && v < 4e18 ? (uint64_t)v : 0;
}

uint64_t
c4i_spool_ns(const c4i_spool_in *in, uint64_t ticks)
{
    const c4i_spool_head *h = &in->head;
    double since_start = (double)(int64_t)(ticks - h->start_ticks) * in->ns_per_tick;

    return to_u64(since_start + (double)(int64_t)(h->start_mono_ns - h->zero_mono_ns));
}

uint64_t
c4i_spool_span(const c4i_spool_in *in, uint64_t ticks)
{
    return to_u64((double)ticks * in->ns_per_tick);
}

/* ---- Records ---------------------------------------------------------------- */

void
c4i_spool_get(const c4i_spool_in *in, uint64_t i, c4i_rec *r)
{
    memcpy(r, in->bytes + C4I_SPOOL_HEAD + i * sizeof(*r), sizeof(*r));
    c4i_spool_bound(r);
}

void
c4i_spool_bound(c4i_rec *r)
{
    switch (r->kind) {
    case C4I_REC_COUNTERS:
        if (r->counters.n > C4I_SPOOL_MAXCOUNTERS)
            r->counters.n = C4I_SPOOL_MAXCOUNTERS;
        break;
    case C4I_REC_PE_BIN:
        if (!(r->pe_bin.bin.cpu_ns >= 0 && r->pe_bin.bin.cpu_ns < 4e18))
            r->pe_bin.bin.cpu_ns = 0;
        if (!(r->pe_bin.bin.lost >= 0 && r->pe_bin.bin.lost < 4e18))
            r->pe_bin.bin.lost = 0;
        break;
    case C4I_REC_ACTIVITY:
        if (r->activity.what >= C4I_NACTIVITIES)
            r->activity.what = C4I_ACT_IDLE;
        break;
    case C4I_REC_OBJECT:
        if (r->object.ndims > C4I_SPOOL_MAXDIMS)
            r->object.ndims = 0;
        break;
    case C4I_REC_COLLECTION:
        if (r->collection.ndims > C4I_SPOOL_MAXDIMS)
            r->collection.ndims = 0;
        break;
    case C4I_REC_BLOB:
        if (r->blob.n > C4I_SPOOL_BLOBPART)
            r->blob.n = C4I_SPOOL_BLOBPART;
        break;
    default:
        break;
    }
}

bool
c4i_spool_get_blob(const c4i_spool_in *in, uint64_t *i, enum c4i_blob *what, c4_buf *out)
{
    c4i_rec r;

    out->len = 0;
    for (uint32_t part = 0; *i < in->nrecs; (*i)++, part++) {
        c4i_spool_get(in, *i, &r);
        if (r.kind != C4I_REC_BLOB || r.blob.part != part || r.blob.what >= C4I_NBLOBS
            || (part && r.blob.what != *what)) {
            if (part)
                (*i)--;                     /* the caller goes on with this record */
            return false;
        }
        *what = r.blob.what;
        if (c4_buf_add(out, r.blob.data, r.blob.n))
            return false;
        if (r.blob.last)
            return true;
    }
    (*i)--;
    return false;
}

c4i_totals
c4i_spool_totals(const c4i_spool_in *in)
{
    c4i_totals t;

    memcpy(&t, in->bytes + C4I_STATS_TOTALS, sizeof(t));
    return t;
}

uint32_t
c4i_spool_nstats(const c4i_spool_in *in)
{
    uint64_t room = (in->len - C4I_SPOOL_HEAD) / sizeof(c4i_stat);

    return in->head.nstats < room ? in->head.nstats : (uint32_t)room;
}

c4i_stat
c4i_spool_stat(const c4i_spool_in *in, uint32_t i)
{
    c4i_stat s;

    memcpy(&s, in->bytes + C4I_SPOOL_HEAD + i * sizeof(s), sizeof(s));
    return s;
}

/* ---- Blobs ------------------------------------------------------------------ */

const char *
c4i_blob_string(const c4_buf *b, size_t *off)
{
    const char *s = (const char *)b->data + *off;
    size_t left = *off < b->len ? b->len - *off : 0;
    size_t n = strnlen(s, left);

    if (n == left)                          /* not terminated */
        return NULL;
    *off += n + 1;
    return s;
}

static void *
copy_part(const unsigned char **from, size_t n, size_t size)
{
    void *to = malloc(n * size + 1);

    if (to)
        memcpy(to, *from, n * size);
    *from += n * size;
    return to;
}

static void
terminate(c4i_lb_step *s)
{
    s->strategy[sizeof(s->strategy) - 1] = 0;
    s->options[sizeof(s->options) - 1] = 0;
    s->metric[sizeof(s->metric) - 1] = 0;
    s->reason[sizeof(s->reason) - 1] = 0;
}

c4_err
c4i_lb_parts_get(c4i_lb_parts *p, const void *data, size_t len)
{
    const unsigned char *from = data;
    size_t npes, nobjs;

    memset(p, 0, sizeof(*p));
    if (len < sizeof(p->step))
        return C4_EFORMAT;
    memcpy(&p->step, from, sizeof(p->step));
    from += sizeof(p->step);
    npes = p->step.npes;
    nobjs = p->step.nobjs;
    if (p->step.version != C4I_LB_RECORD_VERSION
        || len != sizeof(p->step) + npes * sizeof(*p->pes)
                  + nobjs * (sizeof(*p->placed) + sizeof(*p->objs)))
        return C4_EFORMAT;
    terminate(&p->step);
    p->pes = copy_part(&from, npes, sizeof(*p->pes));
    p->placed = copy_part(&from, nobjs, sizeof(*p->placed));
    p->objs = copy_part(&from, nobjs, sizeof(*p->objs));
    if (p->pes && p->placed && p->objs)
        return C4_OK;
    c4i_lb_parts_release(p);
    return C4_ENOMEM;
}

void
c4i_lb_parts_release(c4i_lb_parts *p)
{
    free(p->pes);
    free(p->placed);
    free(p->objs);
    memset(p, 0, sizeof(*p));
}
