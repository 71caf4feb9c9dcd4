/* Relabelling, as Prometheus does it: rules applied in order to a label set. */
#ifndef CAIRN_LABELS_RELABEL_H
#define CAIRN_LABELS_RELABEL_H

#include "base/arena.h"
#include "base/err.h"
#include "labels/labels.h"
#include "labels/regex.h"

enum relabel_action {
    RELABEL_REPLACE = 0,
    RELABEL_KEEP,
    RELABEL_DROP,
    RELABEL_KEEPEQUAL,
    RELABEL_DROPEQUAL,
    RELABEL_HASHMOD,
    RELABEL_LABELMAP,
    RELABEL_LABELDROP,
    RELABEL_LABELKEEP,
    RELABEL_LOWERCASE,
    RELABEL_UPPERCASE,
    RELABEL_ACTION_COUNT
};

struct relabel_rule {
    enum relabel_action action;
    const struct str *source_labels;
    size_t source_count;
    struct str separator, target, replacement; /* defaults: ";", "", "$1" */
    struct regex *re;                          /* anchored; owned by whoever made the rule */
    uint64_t modulus;
};

/* "replace", ...; RELABEL_ACTION_COUNT for an unknown name. Case-insensitive. */
enum relabel_action relabel_action_of(struct str name);
const char *relabel_action_name(enum relabel_action a);
/* Applies the rules. *ret_keep false: the set is dropped. Strings live in the arena or borrow from the input.
 */
MUST_USE enum err relabel(struct arena *a, const struct relabel_rule *rules, size_t n, struct labels ls,
                          struct labels *ret_labels, bool *ret_keep);
/* Go's Regexp.Expand of `template` over captures: $1, ${1}, $name, $$. */
void regex_expand(struct buf *out, struct str template, const struct regex *re, const struct str *captures);

#endif
