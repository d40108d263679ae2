/*
 * prof_cases.c - a recording, a query, the rows: each tests/prof/ *.case.
 *
 * A case is lines of words; '#' begins a comment.  Times are ns.
 *   npes N | level full|summary | limit BYTES            before the first pe
 *   pe N                                                  what follows happens there
 *   type NAME[@FILE:LINE] ENTRY[@FILE:LINE]...            on all PEs; create, migrated and
 *        resume are what c4 calls, and are named for their places only
 *   coll ID single|group|array TYPE DIM... [sparse] [sync]
 *   exec TYPE.ENTRY|main COLL:ELEM BEGIN END [arrived T] [cause PE/NO] [bytes N]
 *        [send NS] [local] [resumed] [suspended]
 *   sent KIND TYPE.ENTRY COLL:ELEM to PE no N at T bytes N
 *   activity idle|lb|migrate_out|migrate_in|reduce BEGIN END
 *   object created|left|arrived|destroyed COLL:ELEM at T [index I,J...] [home PE] [peer PE]
 *        [bytes N] [user]
 *   lb ROUND BEGIN END STRATEGY BEFORE PREDICTED {COLL:ELEM LOAD FROM TO}...
 *   log LEVEL WORD...
 *   stop STATUS | kill                                    ends the PE
 *   query SQL        rows follow, one a line: row VALUE|VALUE...
 *
 * prof_cases --write FILE CASE makes the database and leaves it; --spools DIR
 * CASE leaves the spools, and asks nothing.
 */
#include <dirent.h>
#include <sqlite3.h>

#include "lb/lb_record.h"
#include "tests/unit/prof_test.h"

enum { MAXTYPES = 4, MAXENTRIES = 8, MAXPES = 8, MAXWORDS = 64 };

struct named_type {
    c4_type  type;
    c4_entry entry[MAXENTRIES + 1];
    c4_place at[MAXENTRIES];
    c4_places places;
    char     names[256];
};

struct run {
    struct prof_test t;
    const char      *file;
    int              line;
    uint32_t         npes;
    enum c4i_level   level;
    size_t           limit;
    struct named_type types[MAXTYPES];
    int              ntypes;
    uint32_t         pe;                    /* the present one */
    bool             open, stored, spools_only;
    char             spec[64][256];         /* type and coll lines, told to each PE */
    int              nspec;
    int              status;
    sqlite3         *db;
    sqlite3_stmt    *query;
};

#define EXPECT(r, cond, ...) \
    do { \
        if (!(cond)) { \
            fprintf(stderr, "%s:%d: ", (r)->file, (r)->line); \
            fprintf(stderr, __VA_ARGS__); \
            fprintf(stderr, "\n"); \
            exit(1); \
        } \
    } while (0)

static uint64_t
ticks(const struct run *r, const char *word)
{
    return r->t.clock.zero + strtoull(word, NULL, 10);
}

/* The number behind the word, or otherwise. */
static uint64_t
option(char **w, int n, const char *name, uint64_t otherwise)
{
    for (int i = 0; i + 1 < n; i++)
        if (strcmp(w[i], name) == 0)
            return strtoull(w[i + 1], NULL, 10);
    return otherwise;
}

static bool
flag(char **w, int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (strcmp(w[i], name) == 0)
            return true;
    return false;
}

static c4_chare
chare(struct run *r, const char *word)
{
    c4_chare c = { 0, 0 };
    unsigned long long elem = 0;

    EXPECT(r, sscanf(word, "%u:%llu", &c.coll, &elem) == 2, "'%s' is not COLL:ELEM", word);
    c.idx = elem;
    return c;
}

/* "block.ghost"; special entries have the names of the database. */
static uint16_t
entry(struct run *r, const char *word, int *type_no)
{
    static const char *const special[] = { "create", "migrated", "resume" };

    for (int t = 0; t < r->ntypes; t++) {
        size_t n = strlen(r->types[t].type.name);

        if (strncmp(word, r->types[t].type.name, n) != 0 || word[n] != '.')
            continue;
        *type_no = t;
        for (uint16_t e = 0; r->types[t].entry[e].name; e++)
            if (strcmp(r->types[t].entry[e].name, word + n + 1) == 0)
                return e;
        for (uint16_t e = 0; e < 3; e++)
            if (strcmp(special[e], word + n + 1) == 0)
                return (uint16_t)(C4_ENTRY_CREATE + e);
    }
    EXPECT(r, false, "no entry '%s'", word);
    return 0;
}

static int
split(char *line, char **w)
{
    int n = 0;

    for (char *s = strtok(line, " \t\n"); s && n < MAXWORDS; s = strtok(NULL, " \t\n"))
        w[n++] = s;
    return n;
}

/* ---- Lines ----------------------------------------------------------------------- */

/* Cuts "@FILE:LINE" off. */
static c4_place
cut_place(char *word)
{
    char *at = strchr(word, '@'), *colon = at ? strrchr(at, ':') : NULL;

    if (!colon)
        return (c4_place){ NULL, 0 };
    *at = *colon = 0;
    return (c4_place){ at + 1, atoi(colon + 1) };
}

static void
do_type(struct run *r, char **w, int n)
{
    struct named_type *t = &r->types[r->ntypes];
    char *at = t->names;
    int k = 0;

    EXPECT(r, r->ntypes < MAXTYPES && n - 2 <= MAXENTRIES, "too many");
    for (int i = 1; i < n; i++) {
        char *word = strcpy(at, w[i]);
        c4_place place;

        at += strlen(at) + 1;
        place = cut_place(word);
        if (i == 1)
            t->type.name = word, t->places.type = place;
        else if (!strcmp(word, "create"))
            t->places.create = place;
        else if (!strcmp(word, "migrated"))
            t->places.migrated = place;
        else if (!strcmp(word, "resume"))
            t->places.resume = place;
        else
            t->entry[k].name = word, t->at[k++] = place;
    }
    t->type.entries = t->entry;
    t->places.entries = t->at;
    if (t->places.type.file)
        t->type.places = &t->places;
    r->ntypes++;
}

static void
do_coll(struct run *r, char **w, int n)
{
    c4_coll_info info = { .kind = w[2][0] == 's' ? C4_KIND_SINGLE : w[2][0] == 'g'
                          ? C4_KIND_GROUP : C4_KIND_ARRAY };

    for (int t = 0; t < r->ntypes; t++)
        if (strcmp(r->types[t].type.name, w[3]) == 0)
            info.type = &r->types[t].type;
    for (int i = 4; i < n && w[i][0] >= '0' && w[i][0] <= '9'; i++)
        info.dims.at[info.dims.n++] = atoll(w[i]);
    info.sparse = flag(w, n, "sparse");
    info.at_sync = flag(w, n, "sync");
    r->t.rec.collection(r->t.rec.ctx, (c4_coll)atoi(w[1]), &info);
}

static void
tell_specs(struct run *r)
{
    for (int t = 0; t < r->ntypes; t++)
        r->t.rec.type(r->t.rec.ctx, (uint16_t)t, &r->types[t].type);
    for (int i = 0; i < r->nspec; i++) {
        char copy[256], *w[MAXWORDS];

        strcpy(copy, r->spec[i]);
        do_coll(r, w, split(copy, w));
    }
}

static void
end_pe(struct run *r, int status)
{
    if (r->open)
        prof_test_close(&r->t, status);
    r->open = false;
}

static void
do_pe(struct run *r, char **w)
{
    end_pe(r, 0);
    r->pe = (uint32_t)atoi(w[1]);
    prof_test_open(&r->t, r->pe, r->npes, r->level, r->limit);
    r->open = true;
    tell_specs(r);
}

static void
do_exec(struct run *r, char **w, int n)
{
    c4i_exec x = { .entry = 0 };
    int type_no = 0;

    if (strcmp(w[1], "main") != 0) {
        x.entry = entry(r, w[1], &type_no);
        x.type = &r->types[type_no].type;
        x.type_no = (uint16_t)type_no;
        c4_chare who = chare(r, w[2]);
        x.coll = who.coll;
        x.elem = who.idx;
    }
    x.begin = ticks(r, w[3]);
    x.end = ticks(r, w[4]);
    x.cause.taken = r->t.clock.zero + option(w, n, "taken", x.begin - r->t.clock.zero);
    x.cause.arrived = r->t.clock.zero + option(w, n, "arrived", x.cause.taken - r->t.clock.zero);
    x.cause.nbytes = option(w, n, "bytes", 0);
    x.send = option(w, n, "send", 0);
    x.lost = option(w, n, "lost", 0);
    x.stopped = option(w, n, "stopped", 0);
    x.cpu_ns = (int64_t)option(w, n, "cpu", UINT64_MAX);
    x.task = (uint16_t)option(w, n, "task", 0);
    x.cause.local = flag(w, n, "local");
    x.resumed = flag(w, n, "resumed");
    x.woken = flag(w, n, "woken");
    x.suspended = flag(w, n, "suspended");
    for (int i = 0; i + 1 < n; i++)
        if (strcmp(w[i], "cause") == 0)
            EXPECT(r, sscanf(w[i + 1], "%u/%u", &x.cause.pe, &x.cause.trace) == 2, "cause is PE/NO");
    r->t.rec.exec(r->t.rec.ctx, &x);
}

static void
do_sent(struct run *r, char **w, int n)
{
#define KIND_NAME(id, name, counted) name,
#define EVENT_NAME(id, name) name,
    static const char *const kinds[] = { C4I_KIND_LIST(KIND_NAME) C4I_EVENT_LIST(EVENT_NAME) };
#undef EVENT_NAME
#undef KIND_NAME
    c4_chare who = chare(r, w[3]);
    c4i_wire wire = { .coll = who.coll, .elem = who.idx };
    c4i_sent s = { .w = &wire };
    int type_no, k = 0;

    while (k < C4I_NRECORDED && strcmp(kinds[k], w[1]) != 0)
        k++;
    EXPECT(r, k < C4I_NRECORDED, "no kind '%s'", w[1]);
    wire.kind = k < C4I_NKINDS ? (uint8_t)k : C4I_POST;
    s.kind = (uint8_t)k;
    wire.entry = entry(r, w[2], &type_no);
    wire.trace = (uint32_t)option(w, n, "no", 0);
    s.dst = (uint32_t)option(w, n, "to", 0);
    s.nbytes = option(w, n, "bytes", 0);
    s.when = r->t.clock.zero + option(w, n, "at", 0);
    for (int i = 0; i + 1 < n; i++)
        if (strcmp(w[i], "cause") == 0)
            EXPECT(r, sscanf(w[i + 1], "%u/%u", &s.cause_pe, &s.cause) == 2, "cause is PE/NO");
    s.by_execution = !s.cause;
    r->t.rec.sent(r->t.rec.ctx, &s);
}

static void
do_activity(struct run *r, char **w)
{
    static const char *const names[] = { "idle", "lb", "migrate_out", "migrate_in", "reduce" };
    int k = 0;

    while (k < C4I_NACTIVITIES && strcmp(names[k], w[1]) != 0)
        k++;
    EXPECT(r, k < C4I_NACTIVITIES, "no activity '%s'", w[1]);
    r->t.rec.activity(r->t.rec.ctx, k, ticks(r, w[2]), ticks(r, w[3]));
}

static void
do_object(struct run *r, char **w, int n)
{
    enum c4i_object_event what = w[1][0] == 'c' ? C4I_OBJ_CREATED
        : w[1][0] == 'l' ? C4I_OBJ_LEFT : w[1][0] == 'd' ? C4I_OBJ_DESTROYED : C4I_OBJ_ARRIVED;
    c4_index index = { 0, { 0 } };

    for (int i = 0; i + 1 < n; i++)
        if (strcmp(w[i], "index") == 0)
            for (char *s = w[i + 1]; s; s = strchr(s, ',') ? strchr(s, ',') + 1 : NULL)
                index.at[index.n++] = strtoll(s, NULL, 10);
    r->t.rec.object(r->t.rec.ctx, what, chare(r, w[2]), &index,
                    (uint32_t)option(w, n, "home", 0), (uint32_t)option(w, n, "peer", 0),
                    option(w, n, "bytes", 0), flag(w, n, "user") ? C4I_WHY_USER : C4I_WHY_LB,
                    r->t.clock.zero + option(w, n, "at", 0));
}

static void
do_lb(struct run *r, char **w, int n)
{
    int nobjs = (n - 7) / 4;
    size_t size = sizeof(c4i_lb_step) + r->npes * sizeof(c4i_lb_pe)
                  + (size_t)nobjs * (sizeof(c4i_lb_placed) + sizeof(c4i_lb_object));
    unsigned char *bytes = calloc(1, size);
    c4i_lb_step *s = (void *)bytes;
    c4i_lb_pe *pes = (void *)(s + 1);
    c4i_lb_placed *placed = (void *)(pes + r->npes);
    c4i_lb_object *objs = (void *)(placed + nobjs);

    CHECK(bytes);
    *s = (c4i_lb_step){ .version = C4I_LB_RECORD_VERSION, .round = (uint32_t)atoi(w[1]),
                        .npes = r->npes, .nobjs = (uint32_t)nobjs,
                        .begin_ns = strtoull(w[2], NULL, 10),
                        .end_ns = strtoull(w[3], NULL, 10), .strategy_ns = 10, .seed = 7,
                        .imbalance_before = atof(w[5]), .imbalance_predicted = atof(w[6]),
                        .metric = "wall", .reason = "sync" };
    snprintf(s->strategy, sizeof(s->strategy), "%s", w[4]);
    for (uint32_t p = 0; p < r->npes; p++)
        pes[p].pe = p;
    for (int i = 0; i < nobjs; i++) {
        c4_chare who = chare(r, w[7 + 4 * i]);

        objs[i] = (c4i_lb_object){ .elem = who.idx, .coll = who.coll, .movable = 1,
                                   .cpu_s = -1, .user_load = -1 };
        placed[i].load = objs[i].wall_s = atof(w[8 + 4 * i]);
        placed[i].from = objs[i].pe = (uint32_t)atoi(w[9 + 4 * i]);
        placed[i].to = (uint32_t)atoi(w[10 + 4 * i]);
        s->nmoves += placed[i].from != placed[i].to;
        pes[placed[i].from].nobjs++;
    }
    r->t.rec.lb(r->t.rec.ctx, bytes, size);
    free(bytes);
}

static void
do_log(struct run *r, char **w, int n)
{
    char text[512] = "";

    for (int i = 2; i < n; i++) {
        strcat(text, i > 2 ? " " : "");
        strcat(text, w[i]);
    }
    r->t.rec.log(r->t.rec.ctx, atoi(w[1]), text);
}

/* ---- Queries --------------------------------------------------------------------- */

static void
store(struct run *r)
{
    c4i_run_info info = { .exit_status = r->status, .killed = r->status < 0 };
    c4i_store_result result;
    char err[600] = "";

    if (r->stored)
        return;
    end_pe(r, 0);
    EXPECT(r, !c4i_store_write(r->t.spools, r->t.db, &info, false, &result, err, sizeof(err)),
           "%s", err);
    EXPECT(r, access(r->t.spools, F_OK) != 0, "the spools are still there");
    CHECK(sqlite3_open(r->t.db, &r->db) == SQLITE_OK);
    r->stored = true;
}

/* The rows that were expected so far are all there were. */
static void
end_query(struct run *r)
{
    if (r->query)
        EXPECT(r, sqlite3_step(r->query) == SQLITE_DONE, "there are more rows than expected");
    sqlite3_finalize(r->query);
    r->query = NULL;
}

static void
do_query(struct run *r, const char *sql)
{
    store(r);
    end_query(r);
    EXPECT(r, sqlite3_prepare_v2(r->db, sql, -1, &r->query, NULL) == SQLITE_OK, "%s",
           sqlite3_errmsg(r->db));
}

static void
do_row(struct run *r, char *row)
{
    char got[1024] = "";

    row[strcspn(row, "\n")] = 0;
    EXPECT(r, r->query, "a row without a query");
    EXPECT(r, sqlite3_step(r->query) == SQLITE_ROW, "there is no such row: %s", row);
    for (int i = 0; i < sqlite3_column_count(r->query); i++) {
        const char *text = (const char *)sqlite3_column_text(r->query, i);

        snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%s", i ? "|" : "",
                 text ? text : "");
    }
    EXPECT(r, strcmp(got, row) == 0, "expected %s\n%s:%d:      got %s", row, r->file, r->line,
           got);
}

/* ---- Files ------------------------------------------------------------------------- */

static void
do_event(struct run *r, char **w, int n)
{
    if (!strcmp(w[0], "exec"))
        do_exec(r, w, n);
    else if (!strcmp(w[0], "sent"))
        do_sent(r, w, n);
    else if (!strcmp(w[0], "activity"))
        do_activity(r, w);
    else if (!strcmp(w[0], "object"))
        do_object(r, w, n);
    else if (!strcmp(w[0], "lb"))
        do_lb(r, w, n);
    else if (!strcmp(w[0], "log"))
        do_log(r, w, n);
    else if (!strcmp(w[0], "stop"))
        end_pe(r, atoi(w[1]));
    else if (!strcmp(w[0], "kill"))
        end_pe(r, r->status = -1);
    else
        EXPECT(r, false, "no verb '%s'", w[0]);
}

static void
do_line(struct run *r, char *line)
{
    char whole[1024], *w[MAXWORDS];
    int n;

    snprintf(whole, sizeof(whole), "%s", line);
    if (!strncmp(line, "row ", 4) || !strncmp(line, "query ", 6)) {
        if (r->spools_only)
            return;
        if (line[0] == 'r')
            do_row(r, whole + 4);
        else
            do_query(r, whole + 6);
        return;
    }
    n = split(line, w);
    if (n == 0 || w[0][0] == '#')
        return;
    if (!strcmp(w[0], "npes"))
        r->npes = (uint32_t)atoi(w[1]);
    else if (!strcmp(w[0], "level"))
        r->level = w[1][0] == 's' ? C4I_LEVEL_SUMMARY : C4I_LEVEL_FULL;
    else if (!strcmp(w[0], "limit"))
        r->limit = strtoull(w[1], NULL, 10);
    else if (!strcmp(w[0], "type"))
        do_type(r, w, n);
    else if (!strcmp(w[0], "coll"))
        strcpy(r->spec[r->nspec++], whole);
    else if (!strcmp(w[0], "pe"))
        do_pe(r, w);
    else
        do_event(r, w, n);
}

/* into: where the database (or the folder of spools) goes, or NULL. */
static void
run_case(const char *file, const char *into, bool spools_only)
{
    struct run *r = calloc(1, sizeof(*r));
    char line[1024];
    FILE *f = fopen(file, "r");

    CHECK(f && r, "%s", file);
    *r = (struct run){ .file = file, .npes = 2, .level = C4I_LEVEL_FULL, .limit = 1 << 20,
                       .spools_only = spools_only };
    prof_test_init(&r->t);
    while (fgets(line, sizeof(line), f)) {
        r->line++;
        do_line(r, line);
    }
    fclose(f);
    end_query(r);
    end_pe(r, 0);
    if (!spools_only)
        store(r);
    sqlite3_close(r->db);
    if (into)
        CHECK(rename(spools_only ? r->t.spools : r->t.db, into) == 0, "%s", into);
    prof_test_release(&r->t);
    free(r);
}

int
main(int argc, char **argv)
{
    const char *src = getenv("C4_SRCDIR");
    char dir[1024], path[2048];
    struct dirent *e;
    int n = 0;
    DIR *d;

    if (argc == 4 && argv[1][0] == '-') {
        run_case(argv[3], argv[2], !strcmp(argv[1], "--spools"));
        return 0;
    }
    for (int i = 1; i < argc; i++)
        run_case(argv[i], NULL, false);
    if (argc > 1)
        return 0;
    snprintf(dir, sizeof(dir), "%s/tests/prof", src ? src : ".");
    CHECK((d = opendir(dir)), "%s", dir);
    while ((e = readdir(d))) {
        size_t len = strlen(e->d_name);

        if (len < 6 || strcmp(e->d_name + len - 5, ".case") != 0)
            continue;
        snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
        run_case(path, NULL, false);
        n++;
    }
    closedir(d);
    CHECK(n > 0, "no cases in %s", dir);
    return 0;
}
