/*
 * fuzz_codec.c - any bytes are decoded or refused, never worse.
 *
 *   fuzz_codec [seed [rounds]]     random bytes and mutated payloads
 *   fuzz_codec < FILE              with AFL: one input (argument "-")
 *
 * Embeds Python and uses charm4py._c4._encode/_decode, the decoder of calls.
 * What is decoded is encoded again: the two must agree on what a value is.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const samples =
    "import array\n"
    "samples = [(), (1,), (None, True, -5, 2**40, 2**90), ('a', 'x' * 400, '\\u20ac'),\n"
    "           (b'', b'q' * 900), ([1, [2, (3, {'k': 4.5})]],), ({1: 'a', 'b': [None]},),\n"
    "           tuple(range(300)), ({1, 2},), (array.array('d', [1, 2]), 3, frozenset())]\n"
    "try:\n"
    "    import numpy\n"
    "    samples += [(numpy.arange(5),), (numpy.zeros((20, 30)), numpy.float32(1)),\n"
    "                (numpy.array(['2020'], 'M8[D]'), numpy.ones(600, 'b'))]\n"
    "except ImportError:\n"
    "    pass\n"
    "samples = [c4._encode(*s) for s in samples]\n";

/* xorshift: the same seed gives the same inputs. */
static uint64_t
next_random(uint64_t *s)
{
    *s ^= *s << 13;
    *s ^= *s >> 7;
    *s ^= *s << 17;
    return *s;
}

static void
try_decode(PyObject *c4, const unsigned char *data, size_t len)
{
    PyObject *o = PyObject_CallMethod(c4, "_decode", "y#", (const char *)data, (Py_ssize_t)len);
    PyObject *encode, *again;

    if (!o) {
        PyErr_Clear();
        return;
    }
    encode = PyObject_GetAttrString(c4, "_encode");
    again = encode ? PyObject_CallObject(encode, o) : NULL;
    if (!again)
        PyErr_Clear();                      /* an unpickled thing that cannot be pickled */
    Py_XDECREF(again);
    Py_XDECREF(encode);
    Py_DECREF(o);
}

/* Flips, cuts and overwrites some bytes of a sample; pickles are left out of
 * random input, as they may do anything by design. */
static size_t
mutate(PyObject *list, unsigned char *out, size_t cap, uint64_t *rng)
{
    Py_ssize_t n = PyList_GET_SIZE(list);
    PyObject *b = PyList_GET_ITEM(list, (Py_ssize_t)(next_random(rng) % (uint64_t)n));
    size_t len = (size_t)PyBytes_GET_SIZE(b);

    if (len > cap)
        len = cap;
    memcpy(out, PyBytes_AS_STRING(b), len);
    for (uint64_t k = next_random(rng) % 6; len && k; k--)
        out[next_random(rng) % len] = (unsigned char)next_random(rng);
    if (len && next_random(rng) % 4 == 0)
        len = next_random(rng) % len;
    return len;
}

static int
fuzz(PyObject *c4, PyObject *list, uint64_t seed, long rounds)
{
    static unsigned char buf[1 << 16];      /* of the program, not of a library */
    uint64_t rng = seed * 2654435761u + 1;

    for (long i = 0; i < rounds; i++) {
        size_t len;

        if (next_random(&rng) % 2) {
            len = mutate(list, buf, sizeof(buf), &rng);
        } else {
            len = next_random(&rng) % 200;
            for (size_t k = 0; k < len; k++)
                buf[k] = (unsigned char)(next_random(&rng) % (k ? 256 : 8));
        }
        try_decode(c4, buf, len);
    }
    printf("%ld inputs decoded or refused, seed %llu\n", rounds, (unsigned long long)seed);
    return 0;
}

static int
one_input(PyObject *c4)
{
    static unsigned char buf[1 << 16];

    try_decode(c4, buf, fread(buf, 1, sizeof(buf), stdin));
    return 0;
}

int
main(int argc, char **argv)
{
    PyObject *c4, *space, *r, *loads;
    int status = 1;

    Py_Initialize();
    /* unpickling garbage is the pickle module's affair: replaced by a refusal */
    PyRun_SimpleString("import sys, charm4py\nfrom charm4py import _c4\n"
                       "charm4py.charm.started = True\n"
                       "def refuse(*a, **k): raise ValueError('pickle')\n");
    c4 = PyImport_ImportModule("charm4py._c4");
    if (!c4) {
        PyErr_Print();
        return 1;
    }
    space = PyModule_GetDict(PyImport_AddModule("__main__"));
    PyDict_SetItemString(space, "c4", c4);
    r = PyRun_String(samples, Py_file_input, space, space);
    loads = PyRun_String("c4.configure(loads=refuse)", Py_eval_input, space, space);
    if (!r || !loads)
        PyErr_Print();
    else if (argc > 1 && !strcmp(argv[1], "-"))
        status = one_input(c4);
    else
        status = fuzz(c4, PyDict_GetItemString(space, "samples"),
                      argc > 1 ? strtoull(argv[1], NULL, 10) : 1,
                      argc > 2 ? atol(argv[2]) : 200000);
    Py_XDECREF(r);
    Py_XDECREF(loads);
    Py_DECREF(c4);
    Py_Finalize();
    return status;
}
