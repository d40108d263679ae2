# C4_CHECK_PAPI: hardware counters.  Optional: without it +papi says that
# nothing can be counted.  Sets HAVE_PAPI, PAPI_LIBS and c4_papi_found.
AC_DEFUN([C4_CHECK_PAPI],
[AC_ARG_WITH([papi],
    [AS_HELP_STRING([--without-papi], [build without hardware counters])],
    [], [with_papi=check])
PAPI_LIBS=
c4_papi_found="no (install libpapi-dev to count hardware events)"
AS_IF([test "$with_papi" = no], [c4_papi_found="no (--without-papi)"],
      [AC_CHECK_HEADER([papi.h],
           [c4_save_libs=$LIBS
            AC_CHECK_LIB([papi], [PAPI_library_init],
                [PAPI_LIBS=-lpapi
                 c4_papi_found="yes"
                 AC_DEFINE([HAVE_PAPI], [1], [Define to 1 if PAPI is there.])])
            LIBS=$c4_save_libs])
       AS_IF([test "$with_papi" = yes && test -z "$PAPI_LIBS"],
             [AC_MSG_ERROR([--with-papi was given, but papi.h or libpapi was not found: install libpapi-dev])])])
AC_SUBST([PAPI_LIBS])
AM_CONDITIONAL([HAVE_PAPI], [test -n "$PAPI_LIBS"])
])
