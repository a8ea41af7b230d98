/* Ablations as tables and charts. */
#ifndef SHOWING_H
#define SHOWING_H

#include "ablation/ablation.h"

/* A row for each case and key: accuracy before and after, and after as many random heads; `own` where the
 * case is named as the key is, a property's heads beside the factor that they should carry. With reruns a
 * second table of these, with the answers that agree, and one line over all. */
hl_status showing_tables(const ablation *self, hl_result *to, hl_error *error);

/* How much accuracy each case costs each key: a row for each case. Nothing where there is one key. */
hl_status showing_losses(const ablation *self, hl_result *to, hl_error *error);

/* Where several single heads are cases, a map for each key of what each costs; *any says whether. */
hl_status showing_maps(const ablation *self, hl_result *to, bool *any, hl_error *error);

/* Bars: of each key the case that is its own, or, where none is, of each key all cases. */
hl_status showing_bars(const ablation *self, hl_result *to, hl_error *error);

/* Lines, one chart for each key: the cases come one after the other. */
hl_status showing_curves(const ablation *self, hl_result *to, hl_error *error);

/* A row for each key and group: its accuracy before and after each case. */
hl_status showing_groups(const ablation *self, hl_result *to, hl_error *error);

/* Bars, one chart for each key: accuracy, and that of the worst group, of each case. */
hl_status showing_worst(const ablation *self, hl_result *to, hl_error *error);

#endif
