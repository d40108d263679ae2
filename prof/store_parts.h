/*
 * store_parts.h - what the files of the store share: the job being merged, the
 * numbering of its names, and insertion of rows.
 *
 * Order of work (store.c): open spools; first pass: names, objects, bins,
 * activities, LB records; second pass: messages, then executions; the small
 * tables last, when all names are known; indexes at the end.
 */
#ifndef C4I_STORE_PARTS_H
#define C4I_STORE_PARTS_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "prof/spool_read.h"
#include "prof/store.h"

#define C4I_NULL INT64_MIN                  /* NULL, in a row of integers */

/* ---- Inserting --------------------------------------------------------------- */

enum { C4I_ROWS = 64, C4I_MAXCOLS = 24 };

/* Rows of integers, many a statement.  A row whose key is there already, as
 * damaged spools have it, is left out; the table log tells how many. */
typedef struct c4i_rows {
    sqlite3      *db;
    const char   *table;
    int64_t       left_out;
    sqlite3_stmt *many, *one;
    int           ncols, n;
    int64_t       buf[C4I_ROWS * C4I_MAXCOLS];
} c4i_rows;

c4_err c4i_rows_begin(c4i_rows *r, sqlite3 *db, const char *table, int ncols);
c4_err c4i_rows_add(c4i_rows *r, const int64_t *row);
c4_err c4i_rows_end(c4i_rows *r);           /* also after an error */

/* One row; fmt names the columns: i int64_t, r double (NaN: NULL), s text or
 * NULL.  Prepares *stmt at the first use; the caller finalizes it. */
c4_err c4i_put(sqlite3 *db, sqlite3_stmt **stmt, const char *table, const char *fmt, ...);
/* Runs SQL without results. */
c4_err c4i_sql(sqlite3 *db, const char *sql);

/* ---- Numbering ----------------------------------------------------------------- */

/* (a, b) -> 1, 2, 3 ... in order of appearance. */
typedef struct c4i_ids {
    struct c4i_id { uint64_t a, b; uint32_t id; } *slot;
    uint32_t cap, n;                        /* cap is a power of two */
} c4i_ids;

/* The number of (a, b); *made is set when it is new.  0: out of memory. */
uint32_t c4i_id(c4i_ids *ids, uint64_t a, uint64_t b, bool *made);
void c4i_ids_release(c4i_ids *ids);

typedef struct c4i_named {
    char   *name;
    char   *file;                           /* NULL: not known */
    int64_t line;                           /* C4I_NULL: not known */
} c4i_named;

typedef struct c4i_named_type {
    c4i_named  self, special[3];            /* create, migrated, resume: without names */
    c4i_named *entry;
    uint32_t   nentries;
} c4i_named_type;

typedef struct c4i_seen_object {
    uint64_t elem;
    uint32_t coll;
    int      ndims;                         /* 0: index not known */
    int64_t  at[C4_MAXDIMS];
    int64_t  home, created_pe, created, destroyed;  /* C4I_NULL: not known, or not at all */
} c4i_seen_object;

typedef struct c4i_seen_move {              /* one end of a migration */
    uint32_t object, pe, peer;
    bool     arrival;
    uint8_t  why;
    uint64_t nbytes, when;
} c4i_seen_move;

typedef struct c4i_seen_bin {
    uint32_t entry;                         /* 0: the PE's own time */
    uint64_t begin, width;                  /* ns */
    double   busy;                          /* ns; of the PE's own: of the CPU clock */
    double   lost;                          /* ns */
    uint64_t count;                         /* stretches; involuntary switches */
} c4i_seen_bin;

typedef struct c4i_named_task {
    char    *name, *file;                   /* file: NULL: not known */
    uint32_t line;
} c4i_named_task;

typedef struct c4i_seen_coll {
    c4i_rec_collection rec;
    uint32_t type;                          /* global, from 1; 0: not known */
} c4i_seen_coll;

/* ---- The job ---------------------------------------------------------------- */

typedef struct c4i_source {                 /* one PE */
    c4i_spool_in spool, stats;
    bool      has_stats;
    uint32_t *type_of;                      /* by type_no: global type, from 1 */
    uint32_t  ntypes;
    uint32_t *task_of;                      /* by number: global task, from 1; 0: not known */
    uint32_t  ntasks;
    uint64_t  end_ns;                       /* its last event */
    c4i_seen_bin *bins;
    size_t    nbins, capbins;
} c4i_source;

typedef struct c4i_store {
    sqlite3    *db;
    const char *dir;                        /* of the spools */
    const c4i_run_info *run;
    c4i_source *src;
    uint32_t    nsrc, npes;
    c4i_named_type *types;                  /* [ntypes], number is index + 1 */
    uint32_t    ntypes;
    c4i_named_task *tasks;                  /* [ntasks], number is index + 1 */
    uint32_t    ntasks;
    c4i_ids     entries;                    /* (global type, entry number); (0, 0) main, (0, task) */
    c4i_ids     objects;                    /* (collection, element) */
    c4i_seen_object *object;                /* by number - 1 */
    uint32_t    nobject, capobject;
    c4i_ids     colls;
    c4i_seen_coll *coll;                    /* by number - 1 */
    uint32_t    ncoll;
    c4i_seen_move *moves;
    size_t      nmoves, capmoves;
    uint64_t    bin_ns;
    uint32_t    nsteps;                     /* LB steps seen */
    uint64_t    noverlaps;                  /* executions left out: a spool is damaged */
    c4i_store_result *result;
    sqlite3_stmt *put_info, *put_log, *put_counter, *put_step, *put_lb_pe, *put_lb_object;
} c4i_store;

/* Grows *array (of *cap items) to hold n + 1; false: no memory. */
bool c4i_room(void *array, size_t *cap, size_t n, size_t size);

/* store_names.c */
c4_err c4i_store_type(c4i_store *s, c4i_source *src, const c4_buf *blob);
c4_err c4i_store_task(c4i_store *s, c4i_source *src, const c4_buf *blob);
/* what: C4I_STAT_ENTRY ...; of a task, entry is its number. */
uint32_t c4i_store_entry(c4i_store *s, c4i_source *src, uint16_t type_no, uint16_t entry,
                         unsigned what);
/* The entry of a message to a collection; 0: not known. */
uint32_t c4i_store_entry_of_coll(c4i_store *s, uint32_t coll, uint16_t entry);
uint32_t c4i_store_object(c4i_store *s, uint32_t coll, uint64_t elem);
void c4i_store_index(c4i_store *s, uint32_t object, int ndims, const int64_t *at);
c4_err c4i_store_coll(c4i_store *s, c4i_source *src, const c4i_rec_collection *r);
c4_err c4i_store_names_write(c4i_store *s);
void c4i_store_names_release(c4i_store *s);

/* store_first.c: the first pass, and what follows from it. */
c4_err c4i_store_first_pass(c4i_store *s);
c4_err c4i_store_small_write(c4i_store *s);
int c4i_store_ncounters(c4i_store *s);      /* those that have a column; after the first pass */
c4_err c4i_store_log(c4i_store *s, int64_t pe, int64_t time, const char *level,
                     const char *text);

/* store_lb.c */
c4_err c4i_store_lb(c4i_store *s, const c4_buf *blob);
c4_err c4i_store_moves_write(c4i_store *s);
c4_err c4i_store_lb_finish(c4i_store *s);

/* publish.c */
/* An empty file beside db_file that nobody else writes, locked; its name goes
 * to tmp.  -1 with errno. */
int c4i_tmp_open(const char *db_file, char *tmp, size_t n);
/* Seals it and gives it its name.  C4_EEXIST: there is such a file, and not to
 * be replaced. */
c4_err c4i_tmp_publish(int fd, const char *tmp, const char *db_file, bool replace,
                       uint64_t *nbytes, char *err, size_t nerr);

/* store_events.c: the second pass. */
c4_err c4i_store_messages(c4i_store *s);
c4_err c4i_store_executions(c4i_store *s);

static inline void
c4i_note_time(c4i_source *src, uint64_t ns)
{
    if (ns > src->end_ns)
        src->end_ns = ns;
}

#endif
