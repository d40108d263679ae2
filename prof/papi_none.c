/*
 * papi_none.c - the stand-in for papi.c where PAPI was not found at build time.
 */
#include <stdio.h>
#include <string.h>

#include "prof/papi.h"

c4i_papi *
c4i_papi_new(const char *names, c4i_counter c[C4I_PAPI_MAX], int *n)
{
    *n = 0;
    while (*names && *n < C4I_PAPI_MAX) {
        size_t len = strcspn(names, ",");

        if (len) {
            c4i_counter *k = &c[(*n)++];

            memset(k, 0, sizeof(*k));
            snprintf(k->name, sizeof(k->name), "%.*s", (int)len, names);
            snprintf(k->why, sizeof(k->why), "c4 was built without PAPI");
        }
        names += len + (names[len] == ',');
    }
    return NULL;
}

bool
c4i_papi_read(c4i_papi *p, int64_t value[C4I_PAPI_MAX])
{
    (void)p;
    (void)value;
    return false;
}

void
c4i_papi_free(c4i_papi *p)
{
    (void)p;
}
