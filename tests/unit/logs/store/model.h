/* A naive log store to compare with, and the pushes and queries both get. */
#ifndef CAIRN_TESTS_LOGS_MODEL_H
#define CAIRN_TESTS_LOGS_MODEL_H

#include "base/rng.h"
#include "logs/store/log_store.h"

enum {
    MODEL_STREAMS = 7
};

struct model_row {
    unsigned stream;
    ts_ns ts;
    char *line;
    size_t line_n;
    bool meta;
    uint64_t arrival;
};

struct model {
    struct model_row *rows;
    size_t n, cap;
};

struct labels model_labels(unsigned stream);
void model_done(struct model *m);
/* Pushes random entries into the store (NULL: the model alone) and, when it said OK, into the model.
 * `disorder` is how far back in time entries may lie, and one in eight repeats an earlier one. */
enum err model_push(struct model *m, struct log_store *s, struct rng *rng, size_t entries, ts_ns *now,
                    ts_ns disorder);
/* Runs one random query against both. False after a failed check (already reported). */
bool model_check(const struct model *m, struct log_store *s, struct rng *rng);
/* The same for a fixed query. */
bool model_check_query(const struct model *m, struct log_store *s, const struct log_select *sel);

#endif
