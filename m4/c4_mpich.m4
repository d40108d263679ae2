# C4_CHECK_MPICH: jobs on several hosts.  Optional.  Asks by MPICH's own names
# (mpich.pc, mpicc.mpich, mpiexec.mpich), because another MPI may own "mpicc".
# Sets HAVE_MPICH, MPICH_CFLAGS, MPICH_LIBS, MPIEXEC and c4_mpich_found.
AC_DEFUN([C4_CHECK_MPICH],
[AC_ARG_WITH([mpich],
    [AS_HELP_STRING([--without-mpich], [build for one host only])],
    [], [with_mpich=check])
c4_mpich=no
c4_mpich_found="no (install libmpich-dev and mpich for jobs on several hosts)"
AS_IF([test "$with_mpich" = no], [c4_mpich_found="no (--without-mpich)"],
      [PKG_CHECK_MODULES([MPICH], [mpich], [c4_mpich=pc], [c4_mpich=no])
       AC_PATH_PROGS([MPICC], [mpicc.mpich mpicc])
       AC_PATH_PROGS([MPIEXEC], [mpiexec.mpich mpiexec.hydra mpiexec])
       AS_IF([test $c4_mpich = no && test -n "$MPICC"],
             [C4_TRY_MPICC])
       AS_IF([test $c4_mpich = pc],
             [c4_mpich_found="$($PKG_CONFIG --modversion mpich)"],
             [test $c4_mpich = cc],
             [c4_mpich_found="yes ($MPICC)"])
       AS_IF([test "$with_mpich" = yes && test $c4_mpich = no],
             [AC_MSG_ERROR([--with-mpich was given, but neither mpich.pc nor a compiler wrapper of MPICH was found: install libmpich-dev])])])
AC_SUBST([MPIEXEC])
AM_CONDITIONAL([HAVE_MPICH], [test $c4_mpich != no])
AS_IF([test $c4_mpich != no],
      [AC_DEFINE([HAVE_MPICH], [1], [Define to 1 if MPICH is there.])])
])

# The wrapper counts only if what it includes calls itself MPICH.
AC_DEFUN([C4_TRY_MPICC],
[c4_save_cc=$CC
CC=$MPICC
AC_MSG_CHECKING([whether $MPICC is MPICH's])
AC_COMPILE_IFELSE([AC_LANG_PROGRAM([[#include <mpi.h>
#ifndef MPICH_VERSION
# error not MPICH
#endif]])],
    [AC_MSG_RESULT([yes])
     c4_mpich=cc
     MPICH_CFLAGS=$($MPICC -compile_info | tr ' ' '\n' | grep '^-I' | tr '\n' ' ')
     MPICH_LIBS=$($MPICC -link_info | tr ' ' '\n' | grep -e '^-[[lL]]' | tr '\n' ' ')],
    [AC_MSG_RESULT([no])])
CC=$c4_save_cc
])
