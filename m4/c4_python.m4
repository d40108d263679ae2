# C4_CHECK_PYTHON: an interpreter with its own headers and with greenlet and
# greenlet's header.  $PYTHON is asked alone if it is set; else /usr/bin/python3
# before what PATH has, where the first python3 is often one without them.
# Sets PYTHON, PYTHON_CFLAGS, pythondir (where that Python looks under prefix),
# HAVE_PYTHON, and c4_python_found, c4_greenlet_found, c4_numpy_found.
AC_DEFUN([C4_CHECK_PYTHON],
[AC_ARG_VAR([PYTHON], [the Python to build for (3.11 or later, with headers and greenlet)])
AC_ARG_WITH([python],
    [AS_HELP_STRING([--without-python], [build only what is in C])],
    [], [with_python=yes])
c4_python_found="no (--without-python)"
c4_greenlet_found="not needed"
c4_numpy_found="not needed"
pythondir=
AS_IF([test "$with_python" != no],
      [AC_MSG_CHECKING([for a Python with headers and greenlet])
       AS_IF([test -n "$PYTHON"], [c4_pythons=$PYTHON],
             [test "$with_python" != yes], [c4_pythons=$with_python],
             [c4_pythons="/usr/bin/python3 python3.14 python3.13 python3.12 python3.11 python3"])
       PYTHON=
       c4_python_why=
       for c4_py in $c4_pythons; do
           c4_py=$(command -v "$c4_py") || continue
           c4_answer=$("$c4_py" "$srcdir/build-aux/find-python.py" "$prefix" "$ac_default_prefix" 2>&AS_MESSAGE_LOG_FD)
           AS_CASE([$c4_answer],
               [ok*], [PYTHON=$c4_py; break],
               [c4_python_why="$c4_python_why
  $c4_py: ${c4_answer:-does not run}"])
       done
       AS_IF([test -z "$PYTHON"],
             [AC_MSG_RESULT([no])
              AC_MSG_ERROR([no usable Python among: $c4_pythons$c4_python_why
Install python3-dev and python3-greenlet, or name a Python with PYTHON=, or configure with --without-python.])])
       AC_MSG_RESULT([$PYTHON])
       c4_python_field() { echo "$c4_answer" | sed -n "s/^$[1]: //p"; }
       PYTHON=$(c4_python_field exe)
       PYTHON_CFLAGS=$(c4_python_field cflags)
       PYTHON_EMBED_LIBS=$(c4_python_field embed)
       pythondir=$(c4_python_field dir)
       c4_python_found="$(c4_python_field version) ($PYTHON)"
       c4_greenlet_found=$(c4_python_field greenlet)
       c4_numpy_found=$(c4_python_field numpy)
       AC_DEFINE_UNQUOTED([C4_PYTHON], ["$PYTHON"], [The Python that programs run with.])])
AC_SUBST([PYTHON_CFLAGS])
AC_SUBST([PYTHON_EMBED_LIBS])
AC_SUBST([pythondir])
AM_CONDITIONAL([HAVE_PYTHON], [test "$with_python" != no])
])
