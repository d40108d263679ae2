/*
 * provenance.c - facts about a run; provenance.h has the contract.
 *
 * Cost: some 20 system calls and a few hundred bytes for each variable; about
 * 0.1 ms, and 1 ms where git is asked.
 */
#define _GNU_SOURCE 1
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>
#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#endif

#include "prof/provenance.h"
#include "runtime/flags.h"

#if defined(__clang__)
#define COMPILER __VERSION__
#else
#define COMPILER "GCC " __VERSION__
#endif

extern char **environ;

/* ---- Variables that matter ------------------------------------------------------- */

/* A "*" stands for any end.  doc/recording.md lists them, too. */
static const char *const wanted[] = {
    "OMP_*", "GOMP_*", "KMP_*", "OPENBLAS_*", "GOTO_*", "MKL_*", "BLIS_*",
    "NUMBA_*", "NUMEXPR_*", "NPY_*", "PYTHON*", "VIRTUAL_ENV", "CONDA_PREFIX",
    "CONDA_DEFAULT_ENV", "C4_*", "PAPI_*", "MALLOC_*", "GLIBC_TUNABLES", "LD_*",
    "LANG", "LANGUAGE", "LC_*", "TZ", "TMPDIR", "CUDA_VISIBLE_DEVICES",
    "SLURM_*", "PMI_*", "PBS_JOBID"
};

/* Names with one of these words are secrets, whatever they begin with. */
static const char *const secret[] = {
    "TOKEN", "KEY", "PASS", "SECRET", "CREDENTIAL", "AUTH", "JWT", "COOKIE"
};

/* How launcher and PEs talk to each other: nobody set these. */
static const char *const own[] = { "C4_SHM", "C4_TRACE_DIR", "C4_TRACE_FILE" };

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static bool
matches(const char *name, const char *pattern)
{
    size_t n = strlen(pattern);

    return pattern[n - 1] == '*' ? !strncmp(name, pattern, n - 1) : !strcmp(name, pattern);
}

static bool
is_wanted(const char *name)
{
    bool yes = false;

    for (size_t i = 0; i < COUNT(wanted) && !yes; i++)
        yes = matches(name, wanted[i]);
    for (size_t i = 0; i < COUNT(secret) && yes; i++)
        yes = !strcasestr(name, secret[i]);
    for (size_t i = 0; i < COUNT(own) && yes; i++)
        yes = strcmp(name, own[i]) != 0;
    return yes;
}

static void
tell_variables(c4i_prof *p)
{
    for (char **v = environ; v && *v; v++) {
        const char *equals = strchr(*v, '=');
        char key[256];
        int n = equals ? snprintf(key, sizeof(key), "env.%.*s", (int)(equals - *v), *v) : -1;

        if (n > 0 && (size_t)n < sizeof(key) && is_wanted(key + 4))
            c4i_prof_info(p, key, equals + 1);
    }
}

/* ---- The command line -------------------------------------------------------------- */

static void
tell_words(c4i_prof *p)
{
    char buf[16384];
    ssize_t n;
    int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return;
    n = read(fd, buf, sizeof(buf) - 1);
    close(fd);
    if (n <= 0)
        return;
    buf[n] = 0;
    for (ssize_t i = 0; i < n; i += (ssize_t)strlen(buf + i) + 1)
        c4i_prof_info(p, "argv", buf + i);
}

/* Of a flag that counts once, the last. */
static void
tell_flags(c4i_prof *p, const c4i_flags *f)
{
    char key[64];

    for (size_t i = 0; i < f->ngiven; i++) {
        const c4i_flag *flag = f->given[i].flag;
        const char *value = f->given[i].value ? f->given[i].value : "";

        if (!flag->repeat && value != c4i_flags_get(f, flag->name))
            continue;
        snprintf(key, sizeof(key), "flag.%s", flag->name);
        c4i_prof_info(p, key, value);
    }
}

/* ---- The machine ---------------------------------------------------------------------- */

#if defined(__x86_64__) || defined(__i386__)
/* Not from /proc/cpuinfo: opening that measures the clock rates of all cores,
 * which takes 20 ms in some kernels. */
static void
cpu_model(char out[64])
{
    unsigned word[12];

    out[0] = 0;
    if (__get_cpuid_max(0x80000000u, NULL) < 0x80000004u)
        return;
    for (unsigned i = 0; i < 3; i++)
        __get_cpuid(0x80000002u + i, &word[4 * i], &word[4 * i + 1], &word[4 * i + 2],
                    &word[4 * i + 3]);
    memcpy(out, word, sizeof(word));
    out[sizeof(word)] = 0;
}
#else
static void
cpu_model(char out[64])
{
    FILE *f = fopen("/sys/firmware/devicetree/base/model", "re");
    size_t n = f ? fread(out, 1, 63, f) : 0;

    out[n] = 0;
    if (f)
        fclose(f);
}
#endif

static void
tell_machine(c4i_prof *p)
{
    struct utsname u;
    char text[256], *model = text;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    cpu_model(text);
    model += strspn(model, " ");
    if (*model)
        c4i_prof_info(p, "cpu_model", model);
    if (uname(&u) == 0) {
        snprintf(text, sizeof(text), "%s %s %s", u.sysname, u.release, u.machine);
        c4i_prof_info(p, "kernel", text);
    }
    if (cores > 0) {
        snprintf(text, sizeof(text), "%ld", cores);
        c4i_prof_info(p, "cores", text);
    }
}

/* "0-3,8" */
static void
tell_affinity(c4i_prof *p)
{
    char text[1024];
    size_t n = 0;
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof(set), &set))
        return;
    for (int i = 0; i < CPU_SETSIZE && n < sizeof(text) - 16; i++) {
        int last = i;

        if (!CPU_ISSET(i, &set))
            continue;
        while (last + 1 < CPU_SETSIZE && CPU_ISSET(last + 1, &set))
            last++;
        n += (size_t)snprintf(text + n, sizeof(text) - n, last > i ? "%s%d-%d" : "%s%d",
                              n ? "," : "", i, last);
        i = last;
    }
    if (n)
        c4i_prof_info(p, "affinity", text);
}

/* ---- All of it --------------------------------------------------------------------------- */

/* A C program that the shell found on PATH has no name that says where it is. */
static const char *
program_file(const char *program, bool script, char *buf, size_t size)
{
    ssize_t n;

    if (program && *program && (script || strchr(program, '/')))
        return program;
    n = script ? -1 : readlink("/proc/self/exe", buf, size - 1);
    if (n <= 0)
        return NULL;
    buf[n] = 0;
    return buf;
}

void
c4i_provenance(c4i_prof *p, c4_pe *pe, const char *program, bool script, const char *dir)
{
    const c4i_flags *f = c4i_pe_flags(pe);
    char buf[4096];
    const char *file;

    tell_affinity(p);
    if (c4_mype(pe) != 0)
        return;
    file = program_file(program, script, buf, sizeof(buf));
    if (file) {
        c4i_prof_info(p, "program", file);
        c4i_git_ask(dir, file, script);
    }
    if (getcwd(buf, sizeof(buf)))
        c4i_prof_info(p, "directory", buf);
    tell_words(p);
    tell_flags(p, f);
    tell_variables(p);
    tell_machine(p);
    c4i_prof_info(p, "note", c4i_flags_get(f, "+traceNote"));
    c4i_prof_info(p, "compiler", COMPILER);
    c4i_prof_info(p, "transport", c4i_pe_transport_name(pe));
    c4i_prof_info(p, "oversubscribed", c4i_pe_oversubscribed(pe) ? "1" : "0");
    c4i_prof_info(p, "balancer", c4i_flags_get(f, "+balancer"));
}
