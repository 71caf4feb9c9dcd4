/* A compiled pipeline: stages in the order in which Loki runs them, over one line at a time. Private to this
 * folder; one thread at a time. */
#ifndef CAIRN_LOGS_LOGQL_PIPELINE_H
#define CAIRN_LOGS_LOGQL_PIPELINE_H

#include "golang/tmpl.h"
#include "logs/logql/ast.h"
#include "logs/logql/ip.h"
#include "logs/logql/json_scan.h"
#include "logs/logql/labels_builder.h"
#include "logs/logql/pattern.h"

enum line_test_kind {
    LINE_TEST_CONTAINS = 0,
    LINE_TEST_REGEX,
    LINE_TEST_IP,
    LINE_TEST_PATTERN
};

struct line_test {
    enum line_test_kind kind;
    bool negate;
    struct str text;
    const struct regex *re;
    struct ip_range ip;
    const struct pattern *pattern;
    struct line_test *alt;  /* or */
    struct line_test *next; /* and */
};

enum simplified_kind {
    LABEL_TEST_MATCHER = 0,
    LABEL_TEST_REGEX, /* unanchored rewriting of an expression */
    LABEL_TEST_ALL
};

struct label_test {
    const struct label_filter *f;
    struct ip_range ip;
    bool ip_valid;
    const struct label_words *words; /* a regular expression that Loki turns into words; NULL: match it */
    struct label_test *left, *right;
};

struct pipe_item {
    struct str name;
    struct scan_path path;   /* json a="b.c" */
    struct str key;          /* logfmt a="b" */
    struct str source;       /* label_format a=b */
    const struct tmpl *tmpl; /* label_format a="{{.b}}" */
    const struct matcher *matcher;
};

struct pipe_stage {
    enum stage_kind kind;
    const struct stage *src;
    struct line_test *lines;
    struct label_test *filter;
    const struct tmpl *tmpl;
    struct str simple_key; /* line_format "{{.key}}" */
    struct pipe_item *items;
    size_t item_count;
    struct scan_path *paths; /* json expressions */
};

/* Where a label that the json stage made came from. */
struct json_origin {
    struct str name;
    const struct str *parts;
    size_t part_count;
};

struct json_origins {
    struct json_origin *items;
    size_t n, cap;
};

struct pipeline {
    struct pipe_stage *stages;
    size_t n;
    struct parser_hints hints;
    struct builder b;
    struct arena line;  /* of the line at hand */
    struct arena *a;    /* of the compiled stages */
    ts_ns ts;           /* of the line at hand */
    struct buf out;     /* of templates */
    struct regex *ansi; /* decolorize */
    struct tmpl_regexes template_regexes;
    struct regex_ref *regexes;
    struct json_origins *origins; /* filled by stage_json, in the arena of the line; NULL: not wanted */
};

/* Compiles the stages. Errors: INVALID ("parse error : stage '| x' : ..."), OOM, LIMIT. The pipeline is
 * zeroed before and ended with pipeline_done in any case. `metric`: drop line_format stages that cannot
 * matter. */
MUST_USE enum err pipeline_init(struct pipeline *p, struct arena *a, const struct log_expr *log, bool metric,
                                struct err_info *reterr_info);
/* Hints of a log query. */
MUST_USE enum err pipeline_hints_log(struct pipeline *p);
/* Hints of a metric query, after pipeline_init; `post`: filters after unwrap. */
MUST_USE enum err pipeline_hints_metric(struct pipeline *p, const struct label_groups *g, struct str unwrap,
                                        struct label_test *const *post, size_t post_count);
void pipeline_done(struct pipeline *p);
/* Runs one line. False: dropped. The results are read from p->b, until the next call. */
bool pipeline_line(struct pipeline *p, struct labels stream, struct labels metadata, ts_ns ts,
                   struct str *line);
/* The tests of lines that a source may apply before it hands entries out: those before anything else. */
const struct line_test *pipeline_leading_tests(const struct pipeline *p);
/* Whether any stage reads or writes the text of the line. */
bool pipeline_needs_line(const struct pipeline *p);

MUST_USE enum err label_test_new(struct arena *a, const struct label_filter *f, struct label_test **ret_test,
                                 struct err_info *reterr_info);
bool label_test_passes(const struct label_test *t, struct builder *b);
void label_test_names(const struct label_test *t, struct arena *a, struct str **names, size_t *n, size_t *cap,
                      enum err *e);
bool label_test_is_noop(const struct label_test *t);
MUST_USE enum err line_tests_new(struct arena *a, const struct line_filter *f, struct regex_ref **regexes,
                                 struct line_test **ret_tests, struct err_info *reterr_info);
bool line_tests_pass(const struct line_test *t, struct str line);

/* The parsers. */
bool stage_json(struct pipeline *p, const struct pipe_stage *s, struct str *line);
bool stage_json_expr(struct pipeline *p, const struct pipe_stage *s, struct str *line);
bool stage_logfmt(struct pipeline *p, const struct pipe_stage *s, struct str *line);
bool stage_logfmt_expr(struct pipeline *p, const struct pipe_stage *s, struct str *line);
bool stage_regexp(struct pipeline *p, const struct pipe_stage *s, struct str *line);
bool stage_pattern(struct pipeline *p, const struct pipe_stage *s, struct str *line);
bool stage_unpack(struct pipeline *p, const struct pipe_stage *s, struct str *line);
/* A label name out of any text: blanks trimmed, other characters to '_'. p == NULL: out of memory. */
struct str sanitize_key(struct arena *a, struct str key);

#endif
