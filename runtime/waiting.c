/*
 * waiting.c - tells the user what a job waits for that will not go on.
 *
 * Said when the job has stalled, and of elements that do not exist also when
 * it ends: their messages stay parked at the element's home.
 */
#include <stdio.h>

#include "pe.h"
#include "text.h"

enum { MOST = 8 };                          /* elements that are listed a PE */

static uint64_t
count_queue(const c4i_queue *q)
{
    uint64_t n = 0;

    for (const c4i_msg *m = q ? q->head : NULL; m; m = m->next)
        n++;
    return n;
}

uint64_t
c4i_nparked(const c4_pe *pe)
{
    uint64_t n = 0;

    for (size_t i = 0; pe->colls && i <= pe->colls_mask; i++) {
        const c4i_table *t = pe->colls[i] ? &pe->colls[i]->table : NULL;

        for (size_t k = 0; t && t->slot && k <= t->mask; k++)
            n += t->slot[k].pe == C4I_GONE ? 0 : count_queue(t->slot[k].wait);
    }
    return n;
}

/* Elements that nobody has told their home of. */
static void
report_missing(const c4_pe *pe, const char *which)
{
    unsigned n = 0;

    for (size_t i = 0; pe->colls && i <= pe->colls_mask; i++) {
        const c4i_coll *c = pe->colls[i];

        for (size_t k = 0; c && (c->sparse || c->grows) && c->table.slot && k <= c->table.mask; k++) {
            const c4i_loc *loc = &c->table.slot[k];
            c4_index index = c4i_index_of_key(c, loc->key);
            struct c4i_text text = { .n = 0 };
            uint64_t waiting = loc->ep ? 0 : count_queue(loc->wait);

            if (!waiting || n++ >= MOST)
                continue;
            c4i_text_index(&text, index.at, index.n);
            fprintf(stderr, "c4: PE %u: %llu message%s for element %.*s of %s, which %s\n", pe->me,
                    (unsigned long long)waiting, waiting == 1 ? "" : "s", (int)text.n, text.s,
                    c->type->name, which);
        }
    }
    if (n > MOST)
        fprintf(stderr, "c4: PE %u: and for %u more elements that do not exist\n", pe->me, n - MOST);
}

static void
report_reductions(const c4_pe *pe)
{
    for (size_t i = 0; pe->colls && i <= pe->colls_mask; i++) {
        const c4i_coll *c = pe->colls[i];

        if (!c || c->root != pe->me || !c->red.part.n)
            continue;
        if (c->red.expect < 0)
            fprintf(stderr, "c4: PE %u: a reduction of %s waits for ckDoneInserting; %u have "
                    "contributed\n", pe->me, c->type->name, c4i_parts_first(&c->red.part)->count);
        else
            fprintf(stderr, "c4: PE %u: a reduction of %s waits for contributions: there are %u "
                    "of %lld\n", pe->me, c->type->name, c4i_parts_first(&c->red.part)->count,
                    (long long)c->red.expect);
    }
}

/* Elements of this PE that wait to be resumed. */
static void
report_sync(const c4_pe *pe)
{
    uint64_t called = 0, all = 0;

    for (size_t i = 0; pe->colls && i <= pe->colls_mask; i++) {
        const c4i_coll *c = pe->colls[i];

        for (const c4i_elem *e = c && c->at_sync ? c->first : NULL; e; e = e->next) {
            called += e->waiting;
            all++;
        }
    }
    if (called)
        fprintf(stderr, "c4: PE %u: load balancing waits: %llu of %llu elements here have called "
                "AtSync\n", pe->me, (unsigned long long)called, (unsigned long long)all);
}

void
c4i_report_waiting(c4_pe *pe)
{
    fflush(stdout);
    report_missing(pe, "does not exist");
    report_reductions(pe);
    c4i_report_sections(pe);
    report_sync(pe);
    if (pe->host && pe->host->waiting)
        pe->host->waiting(pe);
    fflush(stderr);
}

/* Not in simulated jobs, which end in the middle of anything. */
void
c4i_report_end(c4_pe *pe)
{
    if (!pe->reported && !pe->now_ns)
        report_missing(pe, "has not been inserted by the end of the job");
}
