/*
 * flags_parse.c - flags are found anywhere, with their values, and nothing else
 * is taken from the program; misspelt ones are refused.
 */
#include <string.h>

#include "runtime/flags.h"
#include "tests/unit/check.h"

enum {
    R = 1 << C4I_USE_RUNTIME, L = 1 << C4I_USE_LAUNCHER, N = 1 << C4I_USE_NOTICE, ALL = R | L | N
};

static const struct {
    const char *line;                       /* words after argv[0] */
    unsigned    which;
    const char *rest;                       /* what stays */
    const char *given;                      /* "flag=value flag=value" */
    const char *error;                      /* part of it; NULL: none */
    const char *notice;                     /* part of it; NULL: none */
} rows[] = {
    { "", ALL, "", "", NULL, NULL },
    { "a b c", ALL, "a b c", "", NULL, NULL },
    { "+p4 prog", ALL, "prog", "+p=4", NULL, NULL },
    { "prog a +p 4 b", ALL, "prog a b", "+p=4", NULL, NULL },
    { "+p-1 prog", ALL, "prog", "+p=-1", NULL, NULL },
    { "+p x prog", ALL, "prog", "+p=x", NULL, NULL },
    { "++n4 ++np 2 +n3", ALL, "", "++n=4 ++np=2 +n=3", NULL, NULL },
    { "+pemap 0-3 x", ALL, "x", "+pemap=0-3", NULL, "+pemap: accepted, but has no meaning here" },
    { "x +balancer A y +balancer B,k=2 z", ALL, "x y z", "+balancer=A +balancer=B,k=2", NULL, NULL },
    { "+balancer=A x", ALL, "x", "+balancer=A", NULL, NULL },
    { "+LBDebug x", ALL, "x", "+LBDebug=", NULL, NULL },
    { "+LBDebug 2 x", ALL, "x", "+LBDebug=2", NULL, NULL },
    { "+LBDebug", ALL, "", "+LBDebug=", NULL, NULL },
    { "x +LBOff ++quiet 3", ALL, "x 3", "+LBOff= ++quiet=", NULL, NULL },
    { "+LBWhatever x", ALL, "x", "", NULL, "+LBWhatever: unknown load balancing flag" },
    { "+LBPerid x", R, "x", "", NULL, "+LBPerid: unknown" },
    { "+LBWhatever x", L, "+LBWhatever x", "", NULL, NULL },
    { "+balancr A", ALL, NULL, NULL, "did you mean +balancer?", NULL },
    { "+Balancer A", ALL, NULL, NULL, "did you mean +balancer?", NULL },
    { "+blaancer=A", ALL, NULL, NULL, "did you mean +balancer?", NULL },
    { "+tarce x", ALL, NULL, NULL, "did you mean +trace?", NULL },
    { "++quit", ALL, NULL, NULL, "did you mean ++quiet?", NULL },
    { "++timelimt 3", L, NULL, NULL, "did you mean ++timelimit?", NULL },
    { "+balancr A", L, NULL, NULL, "did you mean +balancer?", NULL },
    { "x +balancer", ALL, NULL, NULL, "+balancer needs a value", NULL },
    { "+balancer +LBOff", ALL, NULL, NULL, "+balancer needs a value", NULL },
    { "+p", ALL, NULL, NULL, "+p needs a value", NULL },
    { "+mine +x + +4 +q", ALL, "+mine +x + +4 +q", "", NULL, NULL },
    { "++mine x", ALL, "++mine x", "", NULL, NULL },
    { "+trace t.db +p2 x", L, "+trace t.db x", "+p=2", NULL, NULL },
    { "+trace +p2", L, NULL, NULL, "+trace needs a value", NULL },
    { "x ++ ++local +LBOff ++foo ++", ALL, "x ++local ++foo ++", "+LBOff=", NULL, NULL },
    { "x ++ ++local +LBOff", L, "x ++ ++local +LBOff", "", NULL, NULL },
    { "+libcharm_interface cython x", ALL, "x", "+libcharm_interface=cython", NULL, NULL },
    { "++idle-timeout 5 x", L, "++idle-timeout 5 x", "", NULL, NULL },
    { "++ppn 2 x", L | N, "x", "++ppn=2", NULL, "++ppn: accepted" },
};

static char *
join(char *const *words, size_t n)
{
    static char text[1024];

    text[0] = 0;
    for (size_t i = 0; i < n; i++) {
        strcat(text, i ? " " : "");
        strcat(text, words[i]);
    }
    return text;
}

static void
run_row(size_t row)
{
    char line[256], *argv[32] = { (char *)"prog" }, *save, *word, *words[32], given[32][64];
    int argc = 1;
    c4i_flags f;
    c4_err err;

    strcpy(line, rows[row].line);
    for (word = strtok_r(line, " ", &save); word; word = strtok_r(NULL, " ", &save))
        argv[argc++] = word;
    c4i_flags_init(&f);
    err = c4i_flags_parse(&f, &argc, argv, rows[row].which);
    CHECK(err == (rows[row].error ? C4_EINVAL : C4_OK), "row %zu: %s: %s", row, rows[row].line,
          f.error);
    if (err) {
        CHECK(strstr(f.error, rows[row].error), "row %zu: %s", row, f.error);
    } else {
        CHECK(!strcmp(join(argv + 1, (size_t)argc - 1), rows[row].rest), "row %zu: %s", row,
              join(argv + 1, (size_t)argc - 1));
        CHECK(argv[argc] == NULL, "row %zu", row);
        for (size_t i = 0; i < f.ngiven; i++) {
            snprintf(given[i], sizeof(given[i]), "%s=%s", f.given[i].flag->name,
                     f.given[i].value);
            words[i] = given[i];
        }
        CHECK(!strcmp(join(words, f.ngiven), rows[row].given), "row %zu: %s", row,
              join(words, f.ngiven));
        CHECK(rows[row].notice ? strstr(f.notice, rows[row].notice) != NULL : !f.notice[0],
              "row %zu: %s", row, f.notice);
    }
    c4i_flags_release(&f);
}

/* Each use of a flag can be asked for; the last one and the default win. */
static void
asking(void)
{
    char *argv[] = { (char *)"p", (char *)"+balancer", (char *)"A", (char *)"+balancer",
                     (char *)"B", NULL };
    int argc = 5;
    c4i_flags f;

    c4i_flags_init(&f);
    CHECK(!c4i_flags_parse(&f, &argc, argv, ALL));
    CHECK(!strcmp(c4i_flags_nth(&f, "+balancer", 0), "A"));
    CHECK(!strcmp(c4i_flags_nth(&f, "+balancer", 1), "B"));
    CHECK(!c4i_flags_nth(&f, "+balancer", 2));
    CHECK(!strcmp(c4i_flags_get(&f, "+balancer"), "B"));
    CHECK(!strcmp(c4i_flags_get(&f, "++timeout"), "60"));
    CHECK(!c4i_flags_get(&f, "+trace"));
    CHECK(c4i_flags_has(&f, "+balancer") && !c4i_flags_has(&f, "++timeout"));
    c4i_flags_release(&f);
}

/* The table is what help, docs and completion are made from. */
static void
table_is_whole(void)
{
    for (const c4i_flag *a = c4i_flag_table; a->name; a++) {
        CHECK(a->name[0] == '+' && a->help && a->help[0], "%s", a->name);
        CHECK((a->arg == C4I_ARG_NONE) == (a->value == NULL), "%s", a->name);
        for (const c4i_flag *b = c4i_flag_table; b < a; b++)
            CHECK(strcmp(a->name, b->name), "%s is there twice", a->name);
    }
}

int
main(void)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        run_row(i);
    asking();
    table_is_whole();
    return 0;
}
