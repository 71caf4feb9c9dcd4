/* Compiles and runs pipelines. */
#include "logs/logql/pipeline.h"

#include <ctype.h>
#include <stdio.h>

/* -- order ----------------------------------------------------------------------------------------------- */

/* The stages in running order: line filters move in front of what does not change lines. */
struct plan {
    struct arena *a;
    struct stage *out;
    size_t n;
    struct stage *rest; /* since the last barrier */
    size_t rest_n;
    struct line_filter *lines, **lines_tail;
    bool any_lines;
    enum err err;
};

/* Copies the chain so that joining two stages leaves the tree as it was. */
static void plan_lines(struct plan *p, const struct stage *s)
{
    for (const struct line_filter *f = s->lines; f && !p->err; f = f->next) {
        struct line_filter *copy = arena_alloc(p->a, sizeof(*copy));
        if (!copy) {
            p->err = arena_err(p->a);
            return;
        }
        *copy = *f;
        copy->next = NULL;
        *p->lines_tail = copy;
        p->lines_tail = &copy->next;
    }
    p->any_lines = true;
}

static void plan_flush(struct plan *p)
{
    if (p->any_lines) {
        p->out[p->n++] = (struct stage){.kind = STAGE_LINE_FILTER, .lines = p->lines};
    }
    for (size_t i = 0; i < p->rest_n; i++) {
        p->out[p->n++] = p->rest[i];
    }
    p->rest_n = 0;
    p->any_lines = false;
    p->lines = NULL;
    p->lines_tail = &p->lines;
}

/* In a metric query a line_format without a reader behind it is not worth its errors. */
static bool format_matters(const struct stage *s)
{
    for (; s; s = s->next) {
        if (s->kind == STAGE_LINE_FILTER || (s->kind >= STAGE_JSON && s->kind <= STAGE_LOGFMT_EXPR)) {
            return true;
        }
    }
    return false;
}

static enum err plan_stages(struct arena *a, const struct log_expr *log, bool metric,
                            struct stage **ret_stages, size_t *ret_n)
{
    size_t n = 1;
    for (const struct stage *s = log->stages; s; s = s->next) {
        n += 2;
    }
    struct plan p = {
        .a = a, .out = arena_array(a, n, sizeof(*p.out)), .rest = arena_array(a, n, sizeof(*p.rest))};
    if (!p.out || !p.rest) {
        return arena_err(a);
    }
    p.lines_tail = &p.lines;
    for (const struct stage *s = log->stages; s; s = s->next) {
        if (metric && s->kind == STAGE_LINE_FORMAT && !format_matters(s)) {
            continue;
        }
        if (s->kind == STAGE_LABEL_FILTER) {
            plan_flush(&p);
            p.out[p.n++] = *s;
        } else if (s->kind == STAGE_LINE_FILTER) {
            plan_lines(&p, s);
        } else {
            p.rest[p.rest_n++] = *s;
            if (s->kind == STAGE_LINE_FORMAT || s->kind == STAGE_UNPACK) {
                plan_flush(&p);
            }
        }
    }
    plan_flush(&p);
    *ret_stages = p.out;
    *ret_n = p.n;
    return p.err;
}

/* -- compilation ----------------------------------------------------------------------------------------- */

static enum err compile_items(struct pipeline *p, struct pipe_stage *s)
{
    size_t n = 0;
    for (const struct stage_item *i = s->src->items; i; i = i->next) {
        n++;
    }
    s->items = arena_zarray(p->a, n + 1, sizeof(*s->items));
    if (!s->items) {
        return arena_err(p->a);
    }
    for (const struct stage_item *i = s->src->items; i; i = i->next) {
        s->items[s->item_count].name = i->name;
        s->items[s->item_count++].matcher = i->matcher;
    }
    return ERR_OK;
}

static enum err compile_json_expr(struct pipeline *p, struct pipe_stage *s, struct err_info *info)
{
    struct err_info why = {0};
    size_t at = 0;
    s->paths = arena_zarray(p->a, s->item_count + 1, sizeof(*s->paths));
    if (!s->paths) {
        return arena_err(p->a);
    }
    if (s->item_count > SCAN_PATHS_MAX) {
        return err_set(info, ERR_INVALID, "more than %d expressions", SCAN_PATHS_MAX);
    }
    for (const struct stage_item *i = s->src->items; i; i = i->next) {
        enum err e = scan_path_parse(p->a, i->value, &s->paths[at++], &why);
        if (e == ERR_INVALID) {
            return err_set(info, ERR_INVALID, "cannot parse expression [%.*s]: %s", STR_FMT(i->value),
                           why.message);
        }
        if (e) {
            return e;
        }
    }
    return ERR_OK;
}

/* logfmt expressions are one word, or text in quotes; texts that follow are joined. */
static enum err logfmt_key(struct arena *a, struct str text, struct str *ret_key, struct err_info *info)
{
    char fault[40] = "";
    size_t words = 0, at = 0;
    struct str key = STR("");
    while (at < text.n && !fault[0]) {
        char c = text.p[at];
        size_t start = at;
        if (c == ' ' || c == '\t' || c == '\n') {
            at++;
            continue;
        }
        bool word = c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!word && c != '"') {
            (void)snprintf(fault, sizeof(fault), "unexpected char %c", c);
            break;
        }
        at++;
        while (at < text.n && (word ? text.p[at] == '_' || isalnum((unsigned char)text.p[at])
                                    : text.p[at] != '"' && text.p[at] != ']')) {
            at++;
        }
        struct str part = word ? str_slice(text, start, at) : str_slice(text, start + 1, at);
        at += !word && at < text.n;
        if (word && words) {
            return err_set(info, ERR_INVALID, "syntax error: unexpected KEY, expecting STRING");
        }
        /* Go prints the list of parts: the first as it is, the others as arguments too many */
        key = words ? arena_printf(a, "%.*s%%!(EXTRA string=%.*s)", STR_FMT(key), STR_FMT(part)) : part;
        if (!key.p) {
            return arena_err(a);
        }
        words++;
    }
    if (words == 0) {
        return err_set(info, ERR_INVALID, "syntax error: unexpected $end, expecting STRING or KEY");
    }
    *ret_key = key;
    return fault[0] ? err_set(info, ERR_INVALID, "%s", fault) : ERR_OK;
}

static enum err compile_logfmt_expr(struct pipeline *p, struct pipe_stage *s, struct err_info *info)
{
    struct err_info why = {0};
    size_t at = 0;
    for (const struct stage_item *i = s->src->items; i; i = i->next) {
        enum err e = logfmt_key(p->a, i->value, &s->items[at++].key, &why);
        if (e == ERR_INVALID) {
            return err_set(info, ERR_INVALID, "cannot parse expression [%.*s]: %s", STR_FMT(i->value),
                           why.message);
        }
        if (e) {
            return e;
        }
    }
    return ERR_OK;
}

static enum err compile_label_format(struct pipeline *p, struct pipe_stage *s, struct err_info *info)
{
    struct err_info why = {0};
    for (size_t i = 0; i < s->item_count; i++) {
        if (str_eq(s->items[i].name, ERROR_LABEL)) {
            return err_set(info, ERR_INVALID, "__error__ cannot be formatted");
        }
        for (size_t k = 0; k < i; k++) {
            if (str_eq(s->items[i].name, s->items[k].name)) {
                return err_set(info, ERR_INVALID,
                               "multiple label name '%.*s' not allowed in a single format operation",
                               STR_FMT(s->items[i].name));
            }
        }
    }
    size_t at = 0;
    for (const struct stage_item *i = s->src->items; i; i = i->next) {
        struct pipe_item *out = &s->items[at++];
        if (i->rename) {
            out->source = i->value;
            continue;
        }
        enum err e = tmpl_parse(p->a, TMPL_LOKI, STR("label"), i->value, &out->tmpl, &why);
        if (e == ERR_INVALID) {
            return err_set(info, e, "invalid template for label '%.*s': %s", STR_FMT(i->name), why.message);
        }
        if (e) {
            return e;
        }
    }
    return ERR_OK;
}

static enum err compile_line_format(struct pipeline *p, struct pipe_stage *s, struct err_info *info)
{
    struct err_info why = {0};
    enum err e = tmpl_parse(p->a, TMPL_LOKI, STR("line"), s->src->text, &s->tmpl, &why);
    if (e == ERR_INVALID) {
        return err_set(info, e, "invalid line template: %s", why.message);
    }
    s->simple_key = e ? (struct str){0} : tmpl_simple_field(s->tmpl);
    return e;
}

static enum err compile_stage(struct pipeline *p, struct pipe_stage *s, struct err_info *info)
{
    enum err e = compile_items(p, s);
    if (e) {
        return e;
    }
    switch ((int)s->kind) {
    case STAGE_LINE_FILTER:
        return line_tests_new(p->a, s->src->lines, &p->regexes, &s->lines, info);
    case STAGE_JSON_EXPR:
        return compile_json_expr(p, s, info);
    case STAGE_LOGFMT_EXPR:
        return compile_logfmt_expr(p, s, info);
    case STAGE_LABEL_FILTER:
        return label_test_new(p->a, s->src->filter, &s->filter, info);
    case STAGE_LINE_FORMAT:
        return compile_line_format(p, s, info);
    case STAGE_LABEL_FORMAT:
        return compile_label_format(p, s, info);
    case STAGE_DECOLORIZE:
        return p->ansi
                   ? ERR_OK
                   : regex_new(STR("[\x1b\xc2\x9b][[\\]()#;?]*(?:(?:(?:[a-zA-Z\\d]*(?:;[a-zA-Z\\d]*)*)?\x07)|"
                                   "(?:(?:\\d{1,4}(?:;\\d{0,4})*)?[\\dA-PRZcf-ntqry=><~]))"),
                               0, &p->ansi, info);
    default:
        return ERR_OK;
    }
}

enum err pipeline_init(struct pipeline *p, struct arena *a, const struct log_expr *log, bool metric,
                       struct err_info *reterr_info)
{
    struct stage *stages = NULL;
    size_t n = 0;
    *p = (struct pipeline){.a = a};
    arena_init(&p->line, 0, a->budget);
    builder_init(&p->b, &p->hints, &p->line, a);
    p->out.size_bytes_max = LOGQL_LINE_BYTES_MAX;
    enum err e = plan_stages(a, log, metric, &stages, &n);
    p->stages = e ? NULL : arena_zarray(a, n + 1, sizeof(*p->stages));
    e = e || p->stages ? e : arena_err(a);
    for (size_t i = 0; i < n && !e; i++) {
        struct pipe_stage *s = &p->stages[p->n];
        struct err_info why = {0};
        s->kind = stages[i].kind;
        s->src = &stages[i];
        e = compile_stage(p, s, &why);
        if (e == ERR_INVALID) {
            struct buf text AUTO_BUF = {0};
            print_stage(&text, s->src);
            return err_set(reterr_info, e, "parse error : stage '%.*s' : %s", STR_FMT(buf_view(&text)),
                           why.message);
        }
        if (e) {
            return err_set(reterr_info, e, "%s", why.message[0] ? why.message : err_text(e));
        }
        p->n += !(s->kind == STAGE_LABEL_FILTER && label_test_is_noop(s->filter));
    }
    return e;
}

void pipeline_done(struct pipeline *p)
{
    for (struct regex_ref *r = p->regexes; r; r = r->next) {
        regex_free(r->re);
    }
    regex_free(p->ansi);
    tmpl_regexes_done(&p->template_regexes);
    arena_done(&p->line);
    buf_done(&p->out);
    *p = (struct pipeline){0};
}

/* -- hints ----------------------------------------------------------------------------------------------- */

struct names {
    struct arena *a;
    struct str *items;
    size_t n, cap;
    enum err err;
};

static void add_name(struct names *l, struct str name)
{
    for (size_t i = 0; i < l->n; i++) {
        if (str_eq(l->items[i], name)) {
            return;
        }
    }
    if (name.n && !l->err) {
        l->err = arena_reserve(l->a, (void **)&l->items, &l->cap, l->n + 1, sizeof(*l->items));
    }
    if (name.n && !l->err) {
        l->items[l->n++] = name;
    }
}

/* A name that was asked for with the suffix of a clash is wanted without it too. */
static void add_hint(struct names *l, struct str name)
{
    add_name(l, name);
    if (str_ends(name, STR(EXTRACTED_SUFFIX))) {
        add_name(l, str_slice(name, 0, name.n - sizeof(EXTRACTED_SUFFIX) + 1));
    }
}

static void test_names(struct names *l, const struct label_test *t)
{
    struct str *names = NULL;
    size_t n = 0, cap = 0;
    enum err e = ERR_OK;
    label_test_names(t, l->a, &names, &n, &cap, &e);
    for (size_t i = 0; i < n; i++) {
        add_hint(l, names[i]);
    }
    l->err = l->err ? l->err : e;
}

static void template_names(struct names *l, const struct tmpl *t)
{
    struct str *names = NULL;
    size_t n = 0, cap = 0;
    enum err e = tmpl_fields(t, l->a, &names, &n, &cap);
    for (size_t i = 0; i < n; i++) {
        add_hint(l, names[i]);
    }
    l->err = l->err ? l->err : e;
}

static void stage_names(struct names *l, const struct pipe_stage *s)
{
    if (s->kind == STAGE_LABEL_FILTER) {
        test_names(l, s->filter);
    } else if (s->kind == STAGE_LINE_FORMAT) {
        template_names(l, s->tmpl);
    } else if (s->kind == STAGE_LABEL_FORMAT) {
        for (size_t i = 0; i < s->item_count; i++) {
            if (s->items[i].tmpl) {
                template_names(l, s->items[i].tmpl);
            } else {
                add_hint(l, s->items[i].source);
            }
        }
    }
}

static bool hint_passes(const void *filter, struct builder *b)
{
    return label_test_passes(filter, b);
}

struct filters {
    struct hint_filter *items;
    size_t n, cap;
};

static enum err add_filter(struct arena *a, struct filters *l, const struct label_test *t)
{
    if (t->f->kind == LABEL_FILTER_AND || t->f->kind == LABEL_FILTER_OR || label_test_is_noop(t)) {
        return ERR_OK;
    }
    enum err e = arena_reserve(a, (void **)&l->items, &l->cap, l->n + 1, sizeof(*l->items));
    if (!e) {
        struct str name = t->f->kind == LABEL_FILTER_STRING ? t->f->matcher->name : t->f->name;
        l->items[l->n++] = (struct hint_filter){name, hint_passes, t};
    }
    return e;
}

static enum err stage_filters(struct pipeline *p, struct filters *l)
{
    enum err e = ERR_OK;
    for (size_t i = 0; i < p->n && !e; i++) {
        if (p->stages[i].kind == STAGE_LABEL_FILTER) {
            e = add_filter(p->a, l, p->stages[i].filter);
        }
    }
    return e;
}

enum err pipeline_hints_log(struct pipeline *p)
{
    struct filters l = {0};
    enum err e = stage_filters(p, &l);
    p->hints.filters = l.items;
    p->hints.filter_count = l.n;
    return e;
}

enum err pipeline_hints_metric(struct pipeline *p, const struct label_groups *g, struct str unwrap,
                               struct label_test *const *post, size_t post_count)
{
    struct names l = {.a = p->a};
    struct filters f = {0};
    enum err e = stage_filters(p, &f);
    for (size_t i = 0; i < p->n; i++) {
        stage_names(&l, &p->stages[i]);
    }
    for (size_t i = 0; i < post_count && !e; i++) {
        test_names(&l, post[i]);
        /* several filters after unwrap are one and-filter to Loki, which gives no hint */
        e = post_count == 1 ? add_filter(p->a, &f, post[i]) : ERR_OK;
    }
    for (size_t i = 0; i < g->n; i++) {
        add_hint(&l, g->names[i]);
    }
    add_hint(&l, unwrap);
    e = e ? e : l.err;
    bool grouped = !g->without && g->n > 0;
    if (g->none && l.n == 0) {
        p->hints.no_labels = true;
        return e;
    }
    if (g->none || grouped) {
        p->hints.required = l.items;
        p->hints.required_count = l.n;
        for (size_t i = 0; i < l.n; i++) {
            p->hints.preserve_error = p->hints.preserve_error || str_eq(l.items[i], ERROR_LABEL);
        }
    }
    if (g->none || !grouped) {
        p->hints.filters = f.items;
        p->hints.filter_count = f.n;
    }
    return e;
}

/* -- a line ---------------------------------------------------------------------------------------------- */

static void template_fault(struct builder *b, struct str fault)
{
    builder_error(b, STR("TemplateFormatErr"), fault);
}

/* Runs a template into p->out. False: failed, and the line is marked. */
static bool run_template(struct pipeline *p, const struct tmpl *t, struct labels labels, struct str line)
{
    struct tmpl_input in = {.labels = labels, .line = line, .ts = p->ts, .regexes = &p->template_regexes};
    struct str fault = {0};
    buf_reset(&p->out);
    enum err e = tmpl_execute(t, &in, &p->line, &p->out, &fault);
    if (e == ERR_OK) {
        return true;
    }
    if (e != ERR_INVALID) {
        p->b.out_of_memory = true;
    }
    template_fault(&p->b, fault);
    return false;
}

static void line_format(struct pipeline *p, const struct pipe_stage *s, struct str *line)
{
    if (s->simple_key.n) {
        struct str v;
        (void)builder_get(&p->b, s->simple_key, &v);
        *line = v;
        return;
    }
    if (run_template(p, s->tmpl, builder_all(&p->b), *line)) {
        *line = arena_str(&p->line, buf_view(&p->out));
        p->b.out_of_memory = p->b.out_of_memory || !line->p;
    }
}

static void label_format(struct pipeline *p, const struct pipe_stage *s, struct str line)
{
    struct labels seen = {0}; /* as they stood when the first template of the stage ran */
    for (size_t i = 0; i < s->item_count; i++) {
        const struct pipe_item *item = &s->items[i];
        struct str v;
        if (!item->tmpl) {
            if (builder_get(&p->b, item->source, &v)) {
                builder_set(&p->b, LABEL_PARSED, item->name, v);
                builder_delete(&p->b, item->source);
            }
            continue;
        }
        if (seen.n == 0) {
            seen = builder_all(&p->b);
        }
        if (run_template(p, item->tmpl, seen, line)) {
            v = arena_str(&p->line, buf_view(&p->out));
            p->b.out_of_memory = p->b.out_of_memory || !v.p;
            builder_set(&p->b, LABEL_PARSED, item->name, v);
        }
    }
}

static void drop_one(struct builder *b, const struct pipe_item *i)
{
    struct str name = i->name, v;
    const struct matcher *m = i->matcher;
    if (str_eq(name, ERROR_LABEL)) {
        b->err = !m || matcher_matches(m, b->err) ? (struct str){0} : b->err;
        return;
    }
    if (str_eq(name, ERROR_DETAILS_LABEL)) {
        b->err_details = !m || matcher_matches(m, b->err_details) ? (struct str){0} : b->err_details;
        return;
    }
    bool there = builder_get(b, name, &v);
    if (m ? matcher_matches(m, v) : there) {
        builder_delete(b, name);
    }
}

static void keep_some(struct builder *b, const struct pipe_stage *s)
{
    struct labels all = builder_all(b);
    for (size_t k = 0; k < all.n; k++) {
        struct str name = all.l[k].name;
        bool keep = str_eq(name, ERROR_LABEL) || str_eq(name, ERROR_DETAILS_LABEL) ||
                    str_eq(name, PRESERVE_ERROR_LABEL);
        for (size_t i = 0; i < s->item_count && !keep; i++) {
            const struct pipe_item *item = &s->items[i];
            keep = str_eq(item->name, name) &&
                   (!item->matcher || matcher_matches(item->matcher, all.l[k].value));
        }
        if (!keep) {
            builder_delete(b, name);
        }
    }
}

static void decolorize(struct pipeline *p, struct str *line)
{
    struct str match;
    size_t at = 0;
    if (str_find_char(*line, '\x1b', 0) == STR_NPOS && str_find_char(*line, '\x9b', 0) == STR_NPOS) {
        return;
    }
    buf_reset(&p->out);
    while (at <= line->n && regex_find(p->ansi, *line, at, &match, 1)) {
        size_t start = (size_t)(match.p - line->p);
        buf_append(&p->out, line->p + at, start - at);
        at = start + match.n;
    }
    buf_append(&p->out, line->p + at, line->n - at);
    *line = arena_str(&p->line, buf_view(&p->out));
    p->b.out_of_memory = p->b.out_of_memory || !line->p;
}

static bool run_stage(struct pipeline *p, const struct pipe_stage *s, struct str *line)
{
    switch (s->kind) {
    case STAGE_LINE_FILTER:
        return line_tests_pass(s->lines, *line);
    case STAGE_JSON:
        return stage_json(p, s, line);
    case STAGE_LOGFMT:
        return stage_logfmt(p, s, line);
    case STAGE_REGEXP:
        return stage_regexp(p, s, line);
    case STAGE_PATTERN:
        return stage_pattern(p, s, line);
    case STAGE_UNPACK:
        return stage_unpack(p, s, line);
    case STAGE_JSON_EXPR:
        return stage_json_expr(p, s, line);
    case STAGE_LOGFMT_EXPR:
        return stage_logfmt_expr(p, s, line);
    case STAGE_LABEL_FILTER:
        return label_test_passes(s->filter, &p->b);
    case STAGE_LINE_FORMAT:
        line_format(p, s, line);
        return true;
    case STAGE_LABEL_FORMAT:
        label_format(p, s, *line);
        return true;
    case STAGE_DECOLORIZE:
        decolorize(p, line);
        return true;
    case STAGE_DROP:
        for (size_t i = 0; i < s->item_count; i++) {
            drop_one(&p->b, &s->items[i]);
        }
        return true;
    case STAGE_KEEP:
        keep_some(&p->b, s);
        return true;
    }
    return true;
}

bool pipeline_line(struct pipeline *p, struct labels stream, struct labels metadata, ts_ns ts,
                   struct str *line)
{
    arena_reset(&p->line);
    builder_reset(&p->b, stream, metadata);
    p->ts = ts;
    for (size_t i = 0; i < p->n; i++) {
        if (!run_stage(p, &p->stages[i], line)) {
            return false;
        }
    }
    return true;
}

const struct line_test *pipeline_leading_tests(const struct pipeline *p)
{
    return p->n && p->stages[0].kind == STAGE_LINE_FILTER ? p->stages[0].lines : NULL;
}

bool pipeline_needs_line(const struct pipeline *p)
{
    for (size_t i = 0; i < p->n; i++) {
        enum stage_kind k = p->stages[i].kind;
        if (k != STAGE_LABEL_FILTER && k != STAGE_DROP && k != STAGE_KEEP) {
            return true;
        }
    }
    return false;
}
