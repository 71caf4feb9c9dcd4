/* Go's text/template, as far as Loki's line_format and label_format and Promtail's stages reach: the language
 * whole, values that a template over labels can produce, the functions of either dialect. A template is
 * immutable once parsed: any thread. */
#ifndef CAIRN_GOLANG_TMPL_H
#define CAIRN_GOLANG_TMPL_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/strmap.h"
#include "labels/labels.h"

struct tmpl;

enum tmpl_dialect {
    TMPL_LOKI = 0,
    TMPL_PROMTAIL
};

/* Parses. Errors: INVALID (Go's text: "template: line:1: unclosed action"), OOM. */
MUST_USE enum err tmpl_parse(struct arena *a, enum tmpl_dialect dialect, struct str name, struct str text,
                             const struct tmpl **ret_tmpl, struct err_info *reterr_info);
/* The names of fields the template reads ({{.name}}), in order, repeats included. */
MUST_USE enum err tmpl_fields(const struct tmpl *t, struct arena *a, struct str **names, size_t *n,
                              size_t *cap);
/* The field when the whole template is one field of the dot, else empty. */
struct str tmpl_simple_field(const struct tmpl *t);

/* Compiled expressions that executions share; one thread at a time. */
struct tmpl_regexes {
    struct strmap of; /* pattern -> struct regex */
};
void tmpl_regexes_done(struct tmpl_regexes *r);

struct tmpl_input {
    struct labels labels; /* any order; the last of a name counts */
    struct str line;
    ts_ns ts;
    struct tmpl_regexes *regexes; /* NULL: expressions are compiled at each use */
    bool missing_is_nil;          /* a missing label is no value (map[string]interface {}) instead of "" */
};

/* Appends to out; what was written before a failure stays. INVALID: *ret_fault is Go's text, in the arena.
 * Values made on the way live in the arena. */
MUST_USE enum err tmpl_execute(const struct tmpl *t, const struct tmpl_input *in, struct arena *a,
                               struct buf *out, struct str *ret_fault);

#endif
