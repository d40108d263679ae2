/* Each file of tests/lb is a problem, a strategy and what must come out.
 *
 * A file is lines of a word and values; # begins a comment.
 *
 *   strategy SPEC         as for +balancer, options included
 *   seed N                1 if left out
 *   load X...             one for each object; N*X stands for N times X
 *   pe K...               where each is; objects left out are on PE 0
 *   pinned I...           objects that must not move
 *   position X...         ndims numbers for each object
 *   ndims N               1 if left out
 *   npes N
 *   background X...       one for each PE; 0 if left out
 *   speed X...            1 if left out
 *   map K...              expected: exactly this mapping
 *   moves MIN MAX         expected: so many objects move
 *   makespan MAX          expected: the last PE finishes by then
 *   imbalance MAX         expected: max / mean - 1 of the finish times
 *   fails                 expected: the strategy returns an error
 */
#include <dirent.h>
#include <limits.h>

#include "lb_test.h"

enum { MOST = 4096, LINE = 8192 };

struct numbers {
    double   at[MOST];
    uint32_t n;
};

struct lb_case {
    const char    *file;
    char           strategy[128];
    uint64_t       seed;
    struct numbers load, pe, pinned, npes, background, speed, position, ndims;
    struct numbers map, moves, makespan, imbalance;
    int            fails;
};

static void
read_numbers(const struct lb_case *c, struct numbers *to, char *text)
{
    for (char *w = strtok(text, " \t\n"); w; w = strtok(NULL, " \t\n")) {
        char *end;
        double x = strtod(w, &end), times = 1;

        if (*end == '*') {
            times = x;
            x = strtod(end + 1, &end);
        }
        CHECK(end != w && !*end, "%s: '%s' is no number", c->file, w);
        while (times-- > 0) {
            CHECK(to->n < MOST, "%s: too many numbers", c->file);
            to->at[to->n++] = x;
        }
    }
}

static void
read_line(struct lb_case *c, char *line)
{
    const struct {
        const char     *word;
        struct numbers *to;
    } fields[] = {
        { "load", &c->load }, { "pe", &c->pe }, { "pinned", &c->pinned }, { "npes", &c->npes },
        { "background", &c->background }, { "speed", &c->speed }, { "map", &c->map },
        { "position", &c->position }, { "ndims", &c->ndims },
        { "moves", &c->moves }, { "makespan", &c->makespan }, { "imbalance", &c->imbalance },
    };
    char *word, *rest;

    line[strcspn(line, "#\n")] = 0;
    word = strtok_r(line, " \t", &rest);
    if (!word)
        return;
    if (strcmp(word, "strategy") == 0) {
        CHECK(sscanf(rest, "%127s", c->strategy) == 1, "%s: which strategy?", c->file);
        return;
    }
    if (strcmp(word, "seed") == 0) {
        c->seed = strtoull(rest, NULL, 10);
        return;
    }
    if (strcmp(word, "fails") == 0) {
        c->fails = 1;
        return;
    }
    for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++)
        if (strcmp(word, fields[i].word) == 0) {
            read_numbers(c, fields[i].to, rest);
            return;
        }
    CHECK(0, "%s: unknown word '%s'", c->file, word);
}

static void
read_case(struct lb_case *c, const char *file)
{
    char line[LINE];
    FILE *f = fopen(file, "r");

    CHECK(f, "%s cannot be opened", file);
    *c = (struct lb_case){ .file = file, .seed = 1 };
    while (fgets(line, sizeof(line), f))
        read_line(c, line);
    fclose(f);
    CHECK(*c->strategy && c->npes.n == 1 && c->npes.at[0] >= 1, "%s: strategy and npes?", file);
    CHECK(c->map.n || c->moves.n || c->makespan.n || c->imbalance.n || c->fails || !c->load.n,
          "%s: nothing is expected", file);
}

static void
pose(const struct lb_case *c, struct lb_test *t)
{
    lb_test_init(t, c->load.n, (uint32_t)c->npes.at[0]);
    for (uint32_t i = 0; i < c->load.n; i++) {
        t->load[i] = c->load.at[i];
        t->pe_of[i] = i < c->pe.n ? (uint32_t)c->pe.at[i] : 0;
        CHECK(t->pe_of[i] < t->p.npes, "%s: object %u is on PE %u", c->file, i, t->pe_of[i]);
    }
    for (uint32_t i = 0; i < c->pinned.n; i++) {
        CHECK(c->pinned.at[i] < c->load.n, "%s: pinned %g", c->file, c->pinned.at[i]);
        t->movable[(uint32_t)c->pinned.at[i]] = 0;
    }
    for (uint32_t i = 0; i < c->background.n && i < t->p.npes; i++)
        t->background[i] = c->background.at[i];
    for (uint32_t i = 0; i < c->speed.n && i < t->p.npes; i++)
        t->speed[i] = c->speed.at[i];
    if (c->position.n) {
        t->p.ndims = c->ndims.n ? (uint32_t)c->ndims.at[0] : 1;
        CHECK(c->position.n == t->p.nobjs * t->p.ndims, "%s: position", c->file);
        t->p.position = t->position = lb_test_room(c->position.n, sizeof(*t->position));
        for (uint32_t i = 0; i < c->position.n; i++)
            t->position[i] = (float)c->position.at[i];
    }
}

static void
compare(const struct lb_case *c, const struct lb_test *t)
{
    uint32_t moves = c4i_lb_nmoves(&t->p, t->pe_new), obj = 0;
    double imbalance = 0;

    CHECK(c4i_lb_check(&t->p, t->pe_new, &obj) == C4_OK, "%s: object %u", c->file, obj);
    CHECK(!c->map.n || c->map.n == t->p.nobjs, "%s: map has %u of %u", c->file, c->map.n, t->p.nobjs);
    for (uint32_t i = 0; i < c->map.n; i++)
        CHECK(t->pe_new[i] == c->map.at[i], "%s: object %u went to PE %u, not %g",
              c->file, i, t->pe_new[i], c->map.at[i]);
    if (c->moves.n)
        CHECK(c->moves.n == 2 && moves >= c->moves.at[0] && moves <= c->moves.at[1],
              "%s: %u moves", c->file, moves);
    if (c->makespan.n)
        CHECK(lb_test_makespan(t, t->pe_new) <= c->makespan.at[0] * (1 + 1e-12), "%s: makespan %g",
              c->file, lb_test_makespan(t, t->pe_new));
    CHECK(c4i_lb_imbalance(&t->p, t->pe_new, &imbalance) == C4_OK, "%s", c->file);
    if (c->imbalance.n)
        CHECK(imbalance <= c->imbalance.at[0] + 1e-12, "%s: imbalance %g", c->file, imbalance);
}

static void
run(const char *file)
{
    struct lb_case *c = lb_test_room(1, sizeof(*c));
    c4i_lb_choice choice;
    struct lb_test t;
    c4_err err;

    read_case(c, file);
    lb_test_choose(&choice, c->strategy);
    pose(c, &t);
    err = lb_test_solve(&t, &choice, c->seed);
    CHECK(!err == !c->fails, "%s: %s", file, c4_strerror(err));
    if (!err)
        compare(c, &t);
    lb_test_release(&t);
    c4i_lb_choice_release(&choice);
    free(c);
}

static int
is_case(const struct dirent *d)
{
    size_t n = strlen(d->d_name);

    return n > 5 && strcmp(d->d_name + n - 5, ".case") == 0;
}

int
main(int argc, char **argv)
{
    const char *top = getenv("C4_SRCDIR");
    char dir[PATH_MAX], file[PATH_MAX + 300];
    struct dirent **names;
    int n;

    if (argc > 1) {                         /* lb_cases FILE: this one only */
        run(argv[1]);
        return 0;
    }
    snprintf(dir, sizeof(dir), "%s/tests/lb", top ? top : ".");
    n = scandir(dir, &names, is_case, alphasort);
    CHECK(n > 0, "no *.case in %s", dir);
    for (int i = 0; i < n; i++) {
        snprintf(file, sizeof(file), "%s/%s", dir, names[i]->d_name);
        run(file);
        free(names[i]);
    }
    free(names);
    return 0;
}
