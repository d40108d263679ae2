/* Each allocation fails in turn: a strategy, or the choice of one, says
 * C4_ENOMEM, holds nothing, and works again afterwards. */
#include "lb_test.h"

/* calloc() of everything in this program comes here (ld --wrap). */
void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);

static int allowed = -1;                    /* calls until one fails; -1: none does */

void *
__wrap_calloc(size_t n, size_t size)
{
    if (allowed == 0)
        return NULL;
    if (allowed > 0)
        allowed--;
    return __real_calloc(n, size);
}

static void
strategy_survives(const c4i_lb_choice *c)
{
    struct lb_test t;
    c4_err err = C4_ENOMEM;
    int k;

    lb_test_init(&t, 50, 4);
    for (uint32_t i = 0; i < 50; i++)
        t.load[i] = 1 + i;
    for (k = 0; err && k < 100; k++) {
        allowed = k;
        err = lb_test_solve(&t, c, 1);
        allowed = -1;
        CHECK(!err || err == C4_ENOMEM, "%s: %s", c->lb->name, c4_strerror(err));
    }
    CHECK(!err, "%s wants %d allocations and more", c->lb->name, k);
    lb_test_release(&t);
}

static void
choice_survives(const char *name)
{
    char why[C4I_LB_WHY];
    c4i_lb_choice c;
    c4_err err;

    allowed = 0;
    err = c4i_lb_choose(name, &c, why, sizeof(why));
    allowed = -1;
    CHECK(!err || err == C4_ENOMEM, "%s: %s", name, why);
    if (!err)
        c4i_lb_choice_release(&c);
    lb_test_choose(&c, name);
    strategy_survives(&c);
    c4i_lb_choice_release(&c);
}

int
main(void)
{
    for (const c4_lb *const *lb = c4i_lb_builtin; *lb; lb++)
        choice_survives((*lb)->name);
    return 0;
}
