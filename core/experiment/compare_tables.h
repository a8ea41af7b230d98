/* Tables that analyses of several variants gave (HL_SCHEMA_TABLE), those of one title in one. */
#ifndef COMPARE_TABLES_H
#define COMPARE_TABLES_H

#include "core/experiment/compare.h"

/* Adds to the root's list "comparison", which is made where it is not there, a table for each title that two
 * variants have in the same analysis: its rows are those of all variants, each beginning with "variant". Long
 * ones are left to the variants' own pages, and so are those that are the same in all. */
void compare_tables(const compare_variant *variants, size_t count, hl_item *root);

#endif
