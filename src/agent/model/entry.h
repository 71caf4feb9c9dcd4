/* One log line on its way from an input through the stages to the clients.
 *
 * An entry is owned by the thread that carries it and lives for one call: strings are borrowed from the
 * input's buffer, the configuration or the entry's arena. Whoever keeps it longer copies it (entry_keep) and
 * takes a reference on its receipt. Labels are sorted by name; names starting with __ are internal, and only
 * __tenant_id__ means something to a client. */
#ifndef CAIRN_AGENT_MODEL_ENTRY_H
#define CAIRN_AGENT_MODEL_ENTRY_H

#include "agent/model/limits.h"
#include "agent/model/receipt.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "labels/labels.h"

enum value_kind {
    VALUE_NULL = 0,
    VALUE_STR,
    VALUE_NUM,
    VALUE_BOOL
};

struct value {
    enum value_kind kind;
    bool boolean;
    struct str
        s; /* VALUE_STR; VALUE_NUM: its digits when it is a whole number, which a double may not hold */
    double num;
};

struct extracted {
    struct str name;
    struct value value;
};

struct entry {
    ts_ns ts;
    struct str line;
    struct label *labels;
    size_t label_count, label_cap;
    struct extracted *extracted; /* in order of arrival, names unique */
    size_t extracted_count, extracted_cap;
    struct label *metadata; /* structured metadata, sorted by name, names unique */
    size_t metadata_count, metadata_cap;
    struct arena *arena;
    struct receipt *receipt; /* borrowed; may be NULL */
    enum err err;            /* sticky: OOM or LIMIT once a change could not be made */
};

/* Where entries go next: the first stage of a pipeline, a client. */
struct entry_sink {
    void (*put)(void *ctx, struct entry *e);
    void *ctx;
};

/* The label array is copied into the arena (room for more); the strings are borrowed. */
void entry_init(struct entry *e, struct arena *a, struct labels labels, ts_ns ts, struct str line,
                struct receipt *receipt);
struct labels entry_labels(const struct entry *e);
/* The value, or p == NULL when there is no such label. */
struct str entry_label(const struct entry *e, struct str name);
/* Sets or replaces. Strings are borrowed. An empty value is kept as such; clients leave it out. */
void entry_label_set(struct entry *e, struct str name, struct str value);
void entry_label_remove(struct entry *e, struct str name);
/* NULL when absent. */
const struct value *entry_value(const struct entry *e, struct str name);
void entry_value_set(struct entry *e, struct str name, struct value v);
void entry_value_remove(struct entry *e, struct str name);
void entry_metadata_set(struct entry *e, struct str name, struct str value);
/* All labels become extracted values of the same name. */
void entry_seed(struct entry *e);
/* A deep copy into another arena, receipt included (no reference is taken). */
MUST_USE enum err entry_keep(const struct entry *e, struct arena *a, struct entry *ret_entry);

struct value value_str(struct str s);
struct value value_num(double v);
struct value value_bool(bool v);
/* As text: strings as they are, numbers shortest without exponent, true and false. False for null. The text
 * lives as long as the value or in the arena. */
bool value_text(const struct value *v, struct arena *a, struct str *ret_text);
/* As a number: numbers, numeric text, Go durations in seconds, booleans as 1 and 0. */
bool value_number(const struct value *v, double *ret_number);

#endif
