/* consistency-scores: what judges' verdicts on the descriptions of heads amount to, beside what they say
 * where each head has another head's label:
 *
 *     association   the share of heads whose descriptions are consistent with their label (Madasu et al.
 * 2024) ccs, ccs@K    how many of a head's first 5 descriptions are; the share of heads of which K are ccr
 * concepts on several heads of high consistency, for each such head (Madasu et al. 2025) */
#include "headlight/plugin.h"
#include "measures.h"

#include <math.h>

enum { HEADS, LAYERS, LABEL_STEPS, FIRST, ASSOCIATED, RESAMPLES, SEED };

static const hl_option options[] = {
    HEADS_OPTIONS,
    [LABEL_STEPS] = {.name = "labels",
                     .type = HL_STRINGS,
                     .fallback = "~",
                     .help = "The steps whose labels were judged, one for each judge or one for all, where "
                             "they are not what the first judge builds on."},
    [FIRST] = {.name = "first",
               .type = HL_INT,
               .fallback = "5",
               .min = 1,
               .max = JUDGED_MOST_FIRST,
               .help = "How many descriptions of a head its CCS counts, the first ones."},
    [ASSOCIATED] = {.name = "associated",
                    .type = HL_REAL,
                    .fallback = "0.5",
                    .min = 0,
                    .max = 1,
                    .help = "From which share of its descriptions on, all that are judged, a head counts as "
                            "associated with its label."},
    [RESAMPLES] = {.name = "resamples",
                   .type = HL_INT,
                   .fallback = "1000",
                   .min = 0,
                   .max = 100000,
                   .help = "How often heads and judges are drawn anew for intervals; 0: never."},
    [SEED] = {.name = "seed",
              .type = HL_INT,
              .fallback = "0",
              .min = 0,
              .max = 1e9,
              .help = "What drawing begins with."},
};

typedef struct scoring {
    const hl_ask *ask;
    judged of;
    measure_settings settings;
    measures found;
    hl_finding *finding;
} scoring;

/* ---- verdicts ---- */

static const char *name_of(size_t measure, char room[64]) {
    static const char *const names[] = {"association",      "consistent descriptions", "ccs",
                                        "high consistency", "moderate consistency",    "low consistency"};
    if (measure < CCS_AT) return names[measure];
    hl_format(room, 64, "ccs@%zu", measure - CCS_AT);
    return room;
}

static int32_t layer_at(const scoring *self, size_t place) {
    return place < self->of.heads.layer_count ? self->of.heads.layers[place] : -1;
}

static hl_status judge(const scoring *self, const char *score, const char *ending, size_t place,
                       chance_interval value, hl_error *error) {
    char name[128];
    hl_format(name, sizeof name, "%s%s", score, ending);
    const hl_verdict verdict = {.size = sizeof verdict,
                                .score = name,
                                .layer = layer_at(self, place),
                                .value = value.value,
                                .low = value.low,
                                .high = value.high};
    return isnan(value.value) ? HL_OK : self->finding->judge(self->finding, &verdict, error);
}

static hl_status judge_measure(const scoring *self, size_t measure, hl_error *error) {
    char room[64];
    const char *score = name_of(measure, room);
    hl_status status = HL_OK;
    for (size_t place = 0; place < self->found.places && status == HL_OK; ++place) {
        const measured *of = &self->found.all[measure * self->found.places + place];
        status = judge(self, score, "", place, of->own, error);
        if (status == HL_OK) status = judge(self, score, ", labels shuffled", place, of->another, error);
        if (status == HL_OK) status = judge(self, score, ", above labels shuffled", place, of->above, error);
    }
    return status;
}

/* By all judges; NAN: none judged all of its first descriptions. */
static double ccs_of(const scoring *self, size_t head) {
    double sum = 0;
    size_t known = 0;
    for (size_t i = 0; i < self->of.count; ++i) {
        double ccs = measures_ccs(&self->of, &self->settings, OWN_LABEL, i, head);
        if (isnan(ccs)) continue;
        sum += ccs;
        ++known;
    }
    return known > 0 ? sum / (double)known : (double)NAN;
}

static const char *group_of(const scoring *self, double ccs) {
    if (ccs >= (double)measures_high(&self->settings)) return "high";
    if (ccs <= (double)measures_low(&self->settings)) return "low";
    return ccs == (double)measures_moderate(&self->settings) ? "moderate" : "between";
}

static hl_status judge_head(const scoring *self, size_t head, hl_error *error) {
    const hl_verdict verdict = {.size = sizeof verdict,
                                .score = "ccs",
                                .head = self->of.heads.names[head],
                                .layer = -1,
                                .value = ccs_of(self, head),
                                .low = 1};
    if (isnan(verdict.value)) return HL_OK;
    hl_item *facts = self->finding->about(self->finding, verdict.head);
    self->finding->result->text(facts, "consistency", group_of(self, verdict.value));
    return self->finding->judge(self->finding, &verdict, error);
}

static hl_status judge_all(const scoring *self, hl_error *error) {
    hl_status status = HL_OK;
    for (size_t i = 0; i < self->found.count && status == HL_OK; ++i) status = judge_measure(self, i, error);
    for (size_t i = 0; i < self->found.places && status == HL_OK; ++i) {
        status = judge(self, "ccr", "", i, self->found.reuse[i], error);
    }
    for (size_t i = 0; i < self->of.heads.count && status == HL_OK; ++i) status = judge_head(self, i, error);
    return status;
}

/* ---- tables and figures ---- */

/* Which of a list of rows or points there are, and what all of them have: rows have the same keys. */
typedef struct columns {
    bool interval, another, another_interval;
} columns;

static bool is_wide(chance_interval of) {
    return of.low <= of.high;
}

static void narrow(columns *shown, const measured *of) {
    shown->interval = shown->interval && is_wide(of->own);
    shown->another = shown->another && !isnan(of->another.value);
    shown->another_interval = shown->another_interval && is_wide(of->another);
}

static const measured *model_at(const scoring *self, size_t measure) {
    return &self->found.all[measure * self->found.places + self->found.places - 1];
}

static void add_interval(const hl_result *to, hl_item *item, const char *const keys[3], chance_interval of,
                         bool wide) {
    to->number(item, keys[0], of.value);
    if (!wide) return;
    to->number(item, keys[1], of.low);
    to->number(item, keys[2], of.high);
}

static void show_table(const scoring *self) {
    static const char *const own[] = {"value", "low", "high"};
    static const char *const another[] = {"shuffled", "shuffled_low", "shuffled_high"};
    hl_result *to = self->finding->result;
    columns shown = {true, true, true};
    hl_item *table = to->item(to, HL_SCHEMA_TABLE);
    to->text(table, "title", "Consistency of descriptions and labels, all layers that were looked at");
    hl_item *rows = to->list(table, "rows", HL_TABLE);
    for (size_t i = 0; i < self->found.count; ++i) {
        if (!isnan(model_at(self, i)->own.value)) narrow(&shown, model_at(self, i));
    }
    for (size_t i = 0; i < self->found.count; ++i) {
        const measured *of = model_at(self, i);
        char room[64];
        if (isnan(of->own.value)) continue;
        hl_item *row = to->map(rows, NULL);
        to->text(row, "score", name_of(i, room));
        add_interval(to, row, own, of->own, shown.interval);
        if (shown.another) add_interval(to, row, another, of->another, shown.another_interval);
    }
}

/* A bar for each of `count` values, a measure of a place each. */
typedef struct bar {
    char name[32];
    const measured *of;
} bar;

static void add_series(const hl_result *to, hl_item *list, const bar *bars, size_t count, judged_by by,
                       bool wide) {
    static const char *const keys[] = {"y", "low", "high"};
    hl_item *series = to->map(list, NULL);
    to->text(series, "name", by == OWN_LABEL ? "labels as given" : "another head's label");
    if (by == ANOTHER_LABEL) to->truth(series, "reference", true);
    hl_item *points = to->list(series, "points", HL_TABLE);
    for (size_t i = 0; i < count; ++i) {
        hl_item *point = to->map(points, NULL);
        to->text(point, "x", bars[i].name);
        add_interval(to, point, keys, by == OWN_LABEL ? bars[i].of->own : bars[i].of->another, wide);
    }
}

static void show_chart(const scoring *self, const char *title, const char *x, const char *y, const bar *bars,
                       size_t count) {
    hl_result *to = self->finding->result;
    columns shown = {true, true, true};
    for (size_t i = 0; i < count; ++i) narrow(&shown, bars[i].of);
    hl_item *chart = to->item(to, HL_SCHEMA_CHART);
    to->text(chart, "title", title);
    to->text(chart, "kind", "bar");
    to->text(chart, "x", x);
    to->text(chart, "y", y);
    hl_item *list = to->list(chart, "series", HL_LIST);
    add_series(to, list, bars, count, OWN_LABEL, shown.interval);
    if (shown.another) add_series(to, list, bars, count, ANOTHER_LABEL, shown.another_interval);
}

static void show_layers(const scoring *self, bar *bars) {
    size_t count = 0;
    for (size_t i = 0; i < self->found.places; ++i) {
        bar *next = &bars[count];
        next->of = &self->found.all[ASSOCIATION * self->found.places + i];
        if (isnan(next->of->own.value)) continue;
        bool model = i == self->of.heads.layer_count;
        hl_format(next->name, sizeof next->name, model ? "all" : "L%d", layer_at(self, i));
        ++count;
    }
    show_chart(self, "Association: heads whose descriptions are consistent with their label", "layer",
               "share of heads", bars, count);
}

static void show_counts(const scoring *self, bar *bars) {
    char axis[64];
    size_t count = self->settings.first + 1;
    if (isnan(model_at(self, CCS_AT)->own.value)) return;
    for (size_t i = 0; i < count; ++i) {
        hl_format(bars[i].name, sizeof bars[i].name, "%zu", i);
        bars[i].of = model_at(self, CCS_AT + i);
    }
    hl_format(axis, sizeof axis, "consistent ones of a head's first %zu descriptions", self->settings.first);
    show_chart(self, "CCS@K: how many of a head's first descriptions are consistent with its label", axis,
               "share of heads", bars, count);
}

static void show_map(const scoring *self) {
    hl_result *to = self->finding->result;
    if (isnan(model_at(self, MEAN_CCS)->own.value)) return;
    hl_item *map = to->item(to, HL_SCHEMA_HEAD_MAP);
    to->text(map, "title", "CCS: consistent ones of a head's first descriptions");
    hl_item *rows = to->list(map, "heads", HL_TABLE);
    for (size_t i = 0; i < self->of.heads.count; ++i) {
        double ccs = ccs_of(self, i);
        if (isnan(ccs)) continue;
        hl_item *row = to->map(rows, NULL);
        to->text(row, "head", self->of.heads.names[i]);
        to->number(row, "value", ccs);
    }
    to->number(map, "low", 0);
    to->number(map, "high", (double)self->settings.first);
}

/* On how many heads of high consistency a concept is, on the average of the judges. */
static double high_heads(const scoring *self, size_t concept) {
    size_t heads = self->of.heads.count, count = 0;
    for (size_t i = 0; i < self->of.count * heads; ++i) {
        double ccs = measures_ccs(&self->of, &self->settings, OWN_LABEL, i / heads, i % heads);
        count += self->of.concept[i] == concept && ccs >= (double)measures_high(&self->settings);
    }
    return (double)count / (double)self->of.count;
}

static void show_concepts(const scoring *self) {
    hl_result *to = self->finding->result;
    hl_item *rows = NULL;
    for (size_t i = 0; i < self->of.concepts.count; ++i) {
        double heads = high_heads(self, i);
        if (heads <= 0) continue;
        if (!rows) {
            hl_item *table = to->item(to, HL_SCHEMA_TABLE);
            to->text(table, "title", "Concepts of the heads of high consistency");
            rows = to->list(table, "rows", HL_TABLE);
        }
        hl_item *row = to->map(rows, NULL);
        to->text(row, "concept", self->of.concepts.names[i]);
        to->number(row, "heads", heads);
    }
}

static hl_status show(const scoring *self, hl_error *error) {
    const hl_host *host = self->ask->host;
    size_t most = self->found.places + self->settings.first + 1;
    bar *bars = host->allocate(host, most, sizeof *bars);
    if (!bars) return hl_no_memory(error, "charts of consistency");
    show_table(self);
    show_layers(self, bars);
    show_counts(self, bars);
    show_concepts(self);
    show_map(self);
    host->release(host, bars);
    return HL_OK;
}

/* ---- all together ---- */

static void warn(const scoring *self) {
    const hl_host *host = self->ask->host;
    size_t heads = self->of.heads.count, short_of = 0, judged_heads = 0;
    for (size_t i = 0; i < self->of.count * heads; ++i) {
        const judged_head *of = &self->of.found[OWN_LABEL][i];
        judged_heads += of->judged > 0;
        short_of += of->judged > 0 && of->first_judged < self->settings.first;
    }
    if (short_of == 0) return;
    host->log(
        host, HL_LOG_WARNING,
        "%zu of %zu heads have fewer than %zu judged descriptions, and so no CCS: describe them by more, or "
        "set `first`",
        short_of, judged_heads, self->settings.first);
}

static hl_status score(scoring *self, hl_error *error) {
    warn(self);
    hl_status status = measures_open(self->ask->host, &self->of, &self->settings, &self->found, error);
    if (status == HL_OK) status = judge_all(self, error);
    return status == HL_OK ? show(self, error) : status;
}

static hl_status score_consistency(const hl_ask *ask, const hl_value *const *values, hl_finding *finding,
                                   hl_error *error) {
    scoring self = {.ask = ask,
                    .settings = {.first = (size_t)values[FIRST]->integer,
                                 .associated = values[ASSOCIATED]->real,
                                 .resamples = (size_t)values[RESAMPLES]->integer,
                                 .seed = (uint64_t)values[SEED]->integer},
                    .finding = finding};
    hl_status status = judged_open(ask, values[HEADS], values[LAYERS], values[LABEL_STEPS],
                                   self.settings.first, &self.of, error);
    if (status == HL_OK) status = score(&self, error);
    measures_close(ask->host, &self.found);
    judged_close(&self.of);
    return status;
}

enum { MOST_JUDGES = 64 };

static const hl_extractor_api api = {.size = sizeof api,
                                     .step = HL_STEP_VERDICTS,
                                     .from = HL_STEP_VERDICTS,
                                     .run = score_consistency,
                                     .from_most = MOST_JUDGES};

HL_EXPORT const hl_plugin headlight_plugin = {
    HL_PLUGIN(HL_EXTRACTOR, "consistency-scores", "1.0.0",
              "association, CCS and CCR from judges' verdicts, beside shuffled labels"),
    HL_OPTIONS(options),
    .api = &api,
};
