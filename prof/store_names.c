/*
 * store_names.c - types, entry methods, collections and elements of all PEs
 * under one numbering.
 *
 * PEs may have registered types in any order: a type is known by its name.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "prof/store_parts.h"

bool
c4i_room(void *array, size_t *cap, size_t n, size_t size)
{
    char **a = array;
    size_t more = *cap ? *cap * 2 : 64;
    char *p;

    if (n < *cap)
        return true;
    if (!(p = realloc(*a, more * size)))
        return false;
    *a = p;
    *cap = more;
    return true;
}

/* ---- Numbers -------------------------------------------------------------------- */

static uint64_t
mix(uint64_t a, uint64_t b)
{
    uint64_t z = a * 0x9e3779b97f4a7c15u ^ (b + 0xbf58476d1ce4e5b9u);

    z = (z ^ (z >> 32)) * 0x94d049bb133111ebu;
    return z ^ (z >> 29);
}

static struct c4i_id *
find_slot(struct c4i_id *slot, uint32_t cap, uint64_t a, uint64_t b)
{
    uint32_t i = (uint32_t)mix(a, b) & (cap - 1);

    while (slot[i].id && (slot[i].a != a || slot[i].b != b))
        i = (i + 1) & (cap - 1);
    return &slot[i];
}

static bool
rehash(c4i_ids *ids)
{
    uint32_t cap = ids->cap ? ids->cap * 2 : 256;
    struct c4i_id *slot = calloc(cap, sizeof(*slot));

    if (!slot)
        return false;
    for (uint32_t i = 0; i < ids->cap; i++)
        if (ids->slot[i].id)
            *find_slot(slot, cap, ids->slot[i].a, ids->slot[i].b) = ids->slot[i];
    free(ids->slot);
    ids->slot = slot;
    ids->cap = cap;
    return true;
}

uint32_t
c4i_id(c4i_ids *ids, uint64_t a, uint64_t b, bool *made)
{
    struct c4i_id *s;

    *made = false;
    if (ids->n * 2 >= ids->cap && !rehash(ids))
        return 0;
    s = find_slot(ids->slot, ids->cap, a, b);
    if (!s->id) {
        *s = (struct c4i_id){ a, b, ++ids->n };
        *made = true;
    }
    return s->id;
}

void
c4i_ids_release(c4i_ids *ids)
{
    free(ids->slot);
    *ids = (c4i_ids){ 0 };
}

/* ---- Types and entry methods ------------------------------------------------------ */

/* The global number of the type of this name, 0: out of memory. */
static uint32_t
type_by_name(c4i_store *s, const char *name)
{
    c4i_named_type *more;
    char *copy;

    for (uint32_t i = 0; i < s->ntypes; i++)
        if (strcmp(s->types[i].self.name, name) == 0)
            return i + 1;
    more = realloc(s->types, (s->ntypes + 1) * sizeof(*more));
    copy = strdup(name);
    if (more)
        s->types = more;
    if (!more || !copy) {
        free(copy);
        return 0;
    }
    s->types[s->ntypes++] = (c4i_named_type){ .self = { .name = copy, .line = C4I_NULL } };
    return s->ntypes;
}

/* by_no[no] = id; the array grows as need be. */
static bool
set_number(uint32_t **by_no, uint32_t *n, uint16_t no, uint32_t id)
{
    if (no >= *n) {
        uint32_t want = no + 1u;
        uint32_t *more = realloc(*by_no, want * sizeof(*more));

        if (!more)
            return false;
        memset(more + *n, 0, (want - *n) * sizeof(*more));
        *by_no = more;
        *n = want;
    }
    (*by_no)[no] = id;
    return true;
}

/* "file:line", ":line" in the type's own file, or "". */
static c4_err
take_place(c4i_named *n, const char *place, const char *own)
{
    const char *colon = strrchr(place, ':');

    n->line = C4I_NULL;
    if (!colon || (colon == place && !own))
        return C4_OK;
    n->line = atoi(colon + 1);
    n->file = colon == place ? strdup(own) : strndup(place, (size_t)(colon - place));
    return n->file ? C4_OK : C4_ENOMEM;
}

static c4_err
add_entry(c4i_store *s, uint32_t type, const char *name, const char *place)
{
    c4i_named_type *t = &s->types[type - 1];
    c4i_named *more = realloc(t->entry, (t->nentries + 1) * sizeof(*more));
    bool made;

    if (!more)
        return C4_ENOMEM;
    t->entry = more;
    more += t->nentries;
    *more = (c4i_named){ .name = strdup(name) };
    if (t->nentries >= C4_ENTRY_CREATE || !more->name) {
        free(more->name);
        return C4_ENOMEM;
    }
    t->nentries++;
    if (take_place(more, place, t->self.file))
        return C4_ENOMEM;
    return c4i_id(&s->entries, type, t->nentries - 1, &made) ? C4_OK : C4_ENOMEM;
}

/* What the first PE told of it; numbers are given in order. */
static c4_err
name_entries(c4i_store *s, uint32_t type, const c4_buf *blob, size_t off)
{
    c4i_named_type *t = &s->types[type - 1];
    const char *name, *place = c4i_blob_string(blob, &off);
    c4_err e = C4_OK;

    if (t->nentries || t->self.file || !place)
        return C4_OK;
    e = take_place(&t->self, place, NULL);
    for (int i = 0; !e && (name = c4i_blob_string(blob, &off))
                    && (place = c4i_blob_string(blob, &off)); i++)
        e = i < 3 ? take_place(&t->special[i], place, t->self.file)
                  : add_entry(s, type, name, place);
    return e;
}

c4_err
c4i_store_type(c4i_store *s, c4i_source *src, const c4_buf *blob)
{
    uint16_t type_no;
    size_t off = sizeof(type_no);
    const char *name;
    uint32_t type;

    if (blob->len < off)
        return C4_OK;                       /* not whole: as if it were not there */
    memcpy(&type_no, blob->data, sizeof(type_no));
    if (!(name = c4i_blob_string(blob, &off)))
        return C4_OK;
    if (!(type = type_by_name(s, name)) || !set_number(&src->type_of, &src->ntypes, type_no, type))
        return C4_ENOMEM;
    return name_entries(s, type, blob, off);
}

/* The global number of the task of this name, 0: out of memory. */
static uint32_t
task_by_name(c4i_store *s, const char *name, const char *file, uint32_t line)
{
    c4i_named_task *more, t = { .line = line };

    for (uint32_t i = 0; i < s->ntasks; i++)
        if (strcmp(s->tasks[i].name, name) == 0)
            return i + 1;
    more = realloc(s->tasks, (s->ntasks + 1) * sizeof(*more));
    if (more)
        s->tasks = more;
    t.name = strdup(name);
    t.file = *file ? strdup(file) : NULL;
    if (!more || !t.name || (*file && !t.file)) {
        free(t.name);
        free(t.file);
        return 0;
    }
    s->tasks[s->ntasks++] = t;
    return s->ntasks;
}

c4_err
c4i_store_task(c4i_store *s, c4i_source *src, const c4_buf *b)
{
    uint16_t no;
    uint32_t line, task;
    size_t off = sizeof(no) + sizeof(line);
    const char *name, *file;

    if (b->len < off)
        return C4_OK;                       /* not whole: as if it were not there */
    memcpy(&no, b->data, sizeof(no));
    memcpy(&line, (const char *)b->data + sizeof(no), sizeof(line));
    if (!(name = c4i_blob_string(b, &off)) || !(file = c4i_blob_string(b, &off)))
        return C4_OK;
    task = task_by_name(s, name, file, line);
    return task && set_number(&src->task_of, &src->ntasks, no, task) ? C4_OK : C4_ENOMEM;
}

static uint32_t
task_entry(c4i_store *s, c4i_source *src, uint16_t no)
{
    uint32_t task = no < src->ntasks ? src->task_of[no] : 0;
    bool made;

    if (!task) {                            /* its name was lost */
        char name[64];

        snprintf(name, sizeof(name), "task%u@%u", no, src->spool.head.pe);
        task = task_by_name(s, name, "", 0);
        if (!task || !set_number(&src->task_of, &src->ntasks, no, task))
            return 0;
    }
    return c4i_id(&s->entries, 0, task, &made);
}

uint32_t
c4i_store_entry(c4i_store *s, c4i_source *src, uint16_t type_no, uint16_t entry, unsigned what)
{
    uint32_t type;
    bool made;

    if (what == C4I_STAT_MAIN)
        return c4i_id(&s->entries, 0, 0, &made);
    if (what == C4I_STAT_TASK)
        return task_entry(s, src, entry);
    type = type_no < src->ntypes ? src->type_of[type_no] : 0;
    if (!type) {                            /* its name was lost */
        char name[64];

        snprintf(name, sizeof(name), "type%u@%u", type_no, src->spool.head.pe);
        if (!(type = type_by_name(s, name))
            || !set_number(&src->type_of, &src->ntypes, type_no, type))
            return 0;
    }
    return c4i_id(&s->entries, type, entry, &made);
}

static const char *
special_name(uint16_t entry)
{
    switch (entry) {
    case C4_ENTRY_CREATE:   return "create";
    case C4_ENTRY_MIGRATED: return "migrated";
    case C4_ENTRY_RESUME:   return "resume";
    default:                return NULL;
    }
}

/* What is known of an entry method, be it one of the type's or one that c4 calls. */
static const c4i_named *
known_entry(const c4i_named_type *t, uint64_t entry)
{
    static const c4i_named unknown = { .line = C4I_NULL };

    if (t && entry < t->nentries)
        return &t->entry[entry];
    if (t && t->nentries && special_name((uint16_t)entry))
        return &t->special[entry == C4_ENTRY_CREATE ? 0 : entry == C4_ENTRY_MIGRATED ? 1 : 2];
    return &unknown;
}

static c4_err
write_entries(c4i_store *s)
{
    sqlite3_stmt *put = NULL;
    c4_err e = C4_OK;

    for (uint32_t i = 0; i < s->entries.cap && !e; i++) {
        const struct c4i_id *k = &s->entries.slot[i];
        const c4i_named_type *t = k->a ? &s->types[k->a - 1] : NULL;
        const c4i_named_task *task = k->id && !t && k->b ? &s->tasks[k->b - 1] : NULL;
        const char *special = t ? special_name((uint16_t)k->b) : "main";
        const c4i_named *known = known_entry(t, k->b);
        char number[32];
        const char *name = special;

        if (task)
            e = c4i_put(s->db, &put, "entry_method", "iiisssi", (int64_t)k->id, C4I_NULL, C4I_NULL,
                        task->name, "task", task->file,
                        task->line ? (int64_t)task->line : C4I_NULL);
        if (!k->id || task)
            continue;
        snprintf(number, sizeof(number), "entry%u", (unsigned)k->b);
        if (!name)
            name = known->name ? known->name : number;
        e = c4i_put(s->db, &put, "entry_method", "iiisssi", (int64_t)k->id,
                    t ? (int64_t)k->a : C4I_NULL, special ? C4I_NULL : (int64_t)k->b, name,
                    special ? special : "entry", known->file, known->line);
    }
    sqlite3_finalize(put);
    return e;
}

static c4_err
write_types(c4i_store *s)
{
    sqlite3_stmt *put = NULL;
    c4_err e = C4_OK;

    for (uint32_t i = 0; i < s->ntypes && !e; i++)
        e = c4i_put(s->db, &put, "chare_type", "issi", (int64_t)i + 1, s->types[i].self.name,
                    s->types[i].self.file, s->types[i].self.line);
    sqlite3_finalize(put);
    return e;
}

/* ---- Collections and elements --------------------------------------------------- */

c4_err
c4i_store_coll(c4i_store *s, c4i_source *src, const c4i_rec_collection *r)
{
    bool made;
    uint32_t id = c4i_id(&s->colls, r->coll, 0, &made);
    uint32_t type = r->type_no < src->ntypes ? src->type_of[r->type_no] : 0;
    c4i_seen_coll *more;

    if (!id)
        return C4_ENOMEM;
    if (!made) {
        if (!s->coll[id - 1].type)
            s->coll[id - 1].type = type;
        return C4_OK;
    }
    if (!(more = realloc(s->coll, id * sizeof(*more))))
        return C4_ENOMEM;
    s->coll = more;
    s->coll[s->ncoll++] = (c4i_seen_coll){ *r, type };
    return C4_OK;
}

static const c4i_seen_coll *
find_coll(const c4i_store *s, uint32_t coll)
{
    const struct c4i_id *k;

    if (!s->colls.cap)
        return NULL;
    k = find_slot(s->colls.slot, s->colls.cap, coll, 0);
    return k->id ? &s->coll[k->id - 1] : NULL;
}

uint32_t
c4i_store_entry_of_coll(c4i_store *s, uint32_t coll, uint16_t entry)
{
    const c4i_seen_coll *c = find_coll(s, coll);
    bool made;

    return c && c->type ? c4i_id(&s->entries, c->type, entry, &made) : 0;
}

uint32_t
c4i_store_object(c4i_store *s, uint32_t coll, uint64_t elem)
{
    bool made;
    uint32_t id = c4i_id(&s->objects, coll, elem, &made);
    size_t cap = s->capobject;

    if (!id || !made)
        return id;
    if (!c4i_room(&s->object, &cap, s->nobject, sizeof(*s->object)))
        return 0;
    s->capobject = (uint32_t)cap;
    s->object[s->nobject++] = (c4i_seen_object){
        .elem = elem, .coll = coll, .home = C4I_NULL, .created_pe = C4I_NULL,
        .created = C4I_NULL, .destroyed = C4I_NULL
    };
    return id;
}

void
c4i_store_index(c4i_store *s, uint32_t object, int ndims, const int64_t *at)
{
    c4i_seen_object *o = &s->object[object - 1];

    if (o->ndims || ndims < 1 || ndims > C4_MAXDIMS)
        return;
    o->ndims = ndims;
    memcpy(o->at, at, (size_t)ndims * sizeof(*at));
}

/* "3,4"; NULL for no numbers. */
static const char *
join(char *out, size_t n, int count, const int64_t *at)
{
    size_t len = 0;

    for (int i = 0; i < count && len < n; i++)
        len += (size_t)snprintf(out + len, n - len, "%s%lld", i ? "," : "", (long long)at[i]);
    return count ? out : NULL;
}

static c4_err
write_colls(c4i_store *s)
{
    static const char *const kinds[] = { "single", "group", "array" };
    sqlite3_stmt *put = NULL;
    c4_err e = C4_OK;

    for (uint32_t i = 0; i < s->ncoll && !e; i++) {
        const c4i_rec_collection *r = &s->coll[i].rec;
        bool sparse = r->flags & 1;
        char dims[C4_MAXDIMS * 24];

        e = c4i_put(s->db, &put, "collection", "iisisii", (int64_t)r->coll,
                    s->coll[i].type ? (int64_t)s->coll[i].type : C4I_NULL,
                    r->coll_kind < 3 ? kinds[r->coll_kind] : "array", (int64_t)r->ndims,
                    sparse ? NULL : join(dims, sizeof(dims), r->ndims, r->dims),
                    (int64_t)sparse, (int64_t)(r->flags >> 1 & 1));
    }
    sqlite3_finalize(put);
    return e;
}

static c4_err
write_objects(c4i_store *s)
{
    sqlite3_stmt *put = NULL;
    c4_err e = C4_OK;

    for (uint32_t i = 0; i < s->nobject && !e; i++) {
        const c4i_seen_object *o = &s->object[i];
        const c4i_seen_coll *c = find_coll(s, o->coll);
        int64_t linear = (int64_t)o->elem;
        char idx[C4_MAXDIMS * 24];
        const char *text = join(idx, sizeof(idx), o->ndims, o->at);

        if (!text && c && !(c->rec.flags & 1) && c->rec.ndims <= 1
            && c->rec.coll_kind != C4_KIND_SINGLE)
            text = join(idx, sizeof(idx), 1, &linear);
        e = c4i_put(s->db, &put, "object", "iiisiiii", (int64_t)i + 1, (int64_t)o->coll,
                    linear, text, o->home, o->created_pe, o->created, o->destroyed);
    }
    sqlite3_finalize(put);
    return e;
}

/* An element keeps its collection, although what that was is lost. */
static c4_err
stand_in(c4i_store *s, uint32_t coll)
{
    c4i_source nowhere = { .ntypes = 0 };
    c4i_rec_collection lost = { .coll = coll, .coll_kind = C4_KIND_ARRAY, .flags = 1 };
    char text[100];
    c4_err e;

    snprintf(text, sizeof(text), "the record of collection %u is missing: its type and its kind "
             "are not known", coll);
    e = c4i_store_log(s, C4I_NULL, C4I_NULL, "warning", text);
    return e ? e : c4i_store_coll(s, &nowhere, &lost);
}

static c4_err
complete_colls(c4i_store *s)
{
    c4_err e = C4_OK;

    for (uint32_t i = 0; i < s->nobject && !e; i++)
        if (!find_coll(s, s->object[i].coll))
            e = stand_in(s, s->object[i].coll);
    return e;
}

c4_err
c4i_store_names_write(c4i_store *s)
{
    c4_err e = write_types(s);

    if (!e)
        e = complete_colls(s);
    if (!e)
        e = write_entries(s);
    if (!e)
        e = write_colls(s);
    return e ? e : write_objects(s);
}

static void
release_named(c4i_named *n, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        free(n[i].name);
        free(n[i].file);
    }
}

void
c4i_store_names_release(c4i_store *s)
{
    for (uint32_t i = 0; i < s->ntypes; i++) {
        release_named(s->types[i].entry, s->types[i].nentries);
        release_named(s->types[i].special, 3);
        release_named(&s->types[i].self, 1);
        free(s->types[i].entry);
    }
    for (uint32_t i = 0; i < s->ntasks; i++) {
        free(s->tasks[i].name);
        free(s->tasks[i].file);
    }
    free(s->tasks);
    free(s->types);
    free(s->object);
    free(s->coll);
    c4i_ids_release(&s->entries);
    c4i_ids_release(&s->objects);
    c4i_ids_release(&s->colls);
}
