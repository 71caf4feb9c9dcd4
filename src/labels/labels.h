/* Label sets: what identifies a series or a log stream.
 *
 * A `struct labels` is a view: an array sorted by name (byte order), names unique, no empty value (an empty
 * value means the label is absent). All functions are pure unless they take an arena; any thread. */
#ifndef CAIRN_LABELS_LABELS_H
#define CAIRN_LABELS_LABELS_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

struct label {
    struct str name, value;
};

struct labels {
    const struct label *l;
    size_t n;
};

#define LABEL_METRIC_NAME STR("__name__")

/* The value, or an empty string when absent. */
struct str labels_get(struct labels ls, struct str name);
bool labels_eq(struct labels a, struct labels b);
/* Prometheus' order: pairwise by name, then value; a prefix comes first. */
int labels_cmp(struct labels a, struct labels b);
/* 64-bit fingerprint of the set, stable across runs and machines (XXH3 of name 0xff value 0xff ...). */
uint64_t labels_hash(struct labels ls);
struct hash128 labels_hash128(struct labels ls);
/* As labels_hash over the labels named in `names` (`by`), or over all others but __name__ (`without`).
 * `names` is sorted. */
uint64_t labels_hash_by(struct labels ls, const struct str *names, size_t n);
uint64_t labels_hash_without(struct labels ls, const struct str *names, size_t n);

/* Sorts by name in place and drops labels with empty values. Errors: INVALID on a duplicate name (info names
 * it). */
MUST_USE enum err labels_normalise(struct label *l, size_t *n, struct err_info *reterr_info);
/* Deep copy into the arena. Errors: OOM, LIMIT. */
MUST_USE enum err labels_dup(struct arena *a, struct labels ls, struct labels *ret_labels);
/* Copies with the label set (value empty: removed). Strings are borrowed. Errors: OOM, LIMIT. */
MUST_USE enum err labels_with(struct arena *a, struct labels ls, struct str name, struct str value,
                              struct labels *ret_labels);
/* Copies keeping only / dropping the `n` names (sorted not required). Strings are borrowed. */
MUST_USE enum err labels_keep(struct arena *a, struct labels ls, const struct str *names, size_t n,
                              struct labels *ret_labels);
MUST_USE enum err labels_drop(struct arena *a, struct labels ls, const struct str *names, size_t n,
                              struct labels *ret_labels);

/* Prometheus text form: name{a="b", c="d"}; without a name {a="b"}; names that are not legacy identifiers are
 * quoted inside the braces. Loki form: {a="b", c="d"} with every label. */
void labels_format(struct buf *b, struct labels ls);
void labels_format_loki(struct buf *b, struct labels ls);
/* A double-quoted Go string literal of `s` (as strconv.Quote). */
void labels_quote(struct buf *b, struct str s);

/* [a-zA-Z_][a-zA-Z0-9_]* and the same with ':' : the names that need no quotes. */
bool label_name_is_legacy(struct str name);
bool metric_name_is_legacy(struct str name);

#endif
