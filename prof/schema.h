/*
 * schema.h - schema.sql as a string; schema.c is generated from it.
 */
#ifndef C4I_SCHEMA_H
#define C4I_SCHEMA_H

#ifdef HAVE_CONFIG_H
#include <config.h>
#define C4I_VERSION PACKAGE_VERSION
#else
#define C4I_VERSION "unknown"
#endif

extern const char c4i_schema_sql[];

#endif
