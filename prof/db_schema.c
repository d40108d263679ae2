/*
 * db_schema.c - are the tables of a file those of the schema?
 *
 * The schema is the one that c4prof was built with, read back from an empty
 * database in memory: SQLite keeps the text of each CREATE, so equal texts are
 * equal tables.  Views are made anew from these texts, as TEMP views; those of
 * the file are never looked at.
 */
#include <string.h>

#include "prof/c4prof.h"
#include "prof/plain.h"
#include "prof/schema.h"

static sqlite3 *
model_new(void)
{
    sqlite3 *model = NULL;

    if (sqlite3_open(":memory:", &model) != SQLITE_OK
        || sqlite3_exec(model, c4i_schema_sql, NULL, NULL, NULL) != SQLITE_OK)
        c4i_db_fail(model);
    return model;
}

static const char *
column(sqlite3_stmt *q, int col)
{
    return (const char *)sqlite3_column_text(q, col);
}

/* Does the file have this table, as a table, and without triggers? */
static bool
same_table(sqlite3_stmt *find, const char *name, const char *sql)
{
    bool same;

    sqlite3_bind_text(find, 1, name, -1, SQLITE_STATIC);
    same = c4i_db_row(find) && sqlite3_column_int(find, 0) == 1 && column(find, 1)
           && strcmp(column(find, 1), sql) == 0;
    sqlite3_reset(find);
    return same;
}

/* "CREATE VIEW name ..." of the model becomes "CREATE TEMP VIEW name ...". */
static void
make_view(sqlite3 *db, const char *sql)
{
    static const char create[] = "CREATE ";
    char *temp = sqlite3_mprintf("CREATE TEMP %s", sql + strlen(create));
    sqlite3_stmt *q = c4i_db_query(db, temp ? temp : sql);

    c4i_db_row(q);
    sqlite3_finalize(q);
    sqlite3_free(temp);
}

bool
c4i_db_tables(sqlite3 *db, const char *path)
{
    sqlite3 *model = model_new();
    sqlite3_stmt *all = c4i_db_query(model, "SELECT type, name, sql FROM sqlite_schema"
                                            " WHERE type IN ('table', 'view')");
    sqlite3_stmt *find = c4i_db_query(db, "SELECT count(*), max(iif(type = 'table', sql, NULL))"
                                          " FROM main.sqlite_schema WHERE tbl_name = ?1"
                                          " COLLATE NOCASE AND type != 'index'");
    bool good = true;

    while (good && c4i_db_row(all)) {
        if (strcmp(column(all, 0), "view") == 0)
            make_view(db, column(all, 2));
        else if (!(good = same_table(find, column(all, 1), column(all, 2))))
            c4i_say("c4prof", "%s does not have the table %s of a trace; record again", path,
                    column(all, 1));
    }
    sqlite3_finalize(find);
    sqlite3_finalize(all);
    sqlite3_close(model);
    return good;
}

/* Is there a value in the table that its columns cannot have? */
static bool
types_fit(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *q = c4i_db_query(db, sql);
    bool fit = !c4i_db_row(q);

    sqlite3_finalize(q);
    return fit;
}

bool
c4i_db_types(sqlite3 *db, const char *path)
{
    sqlite3 *model = model_new();
    sqlite3_stmt *all = c4i_db_query(model,
        "SELECT t.name, 'SELECT 1 FROM main.' || t.name || ' WHERE NOT (' || group_concat("
        " CASE c.type WHEN 'REAL' THEN printf('(\"%w\" IS NULL OR typeof(\"%w\") = ''integer'' OR"
        "   (typeof(\"%w\") = ''real'' AND abs(\"%w\") < 1e300))', c.name, c.name, c.name, c.name)"
        " ELSE printf('typeof(\"%w\") IN (''null'', ''%s'')', c.name, lower(c.type)) END,"
        " ' AND ') || ') LIMIT 1' FROM sqlite_schema t, pragma_table_info(t.name) c"
        " WHERE t.type = 'table' GROUP BY t.name");
    bool good = true;

    while (good && c4i_db_row(all))
        if (!(good = types_fit(db, column(all, 1))))
            c4i_say("c4prof", "%s is damaged: the table %s has a value of another type than its "
                    "column; record again", path, column(all, 0));
    sqlite3_finalize(all);
    sqlite3_close(model);
    return good;
}
