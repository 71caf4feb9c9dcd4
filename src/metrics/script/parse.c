/* eval commands and the lines below them. */
#include <string.h>

#include "metrics/script/script_int.h"

/* The next word of *s, which is cut off. */
static struct str word_take(struct str *s)
{
    *s = str_trim(*s);
    size_t end = 0;
    while (end < s->n && s->p[end] != ' ' && s->p[end] != '\t') {
        end++;
    }
    struct str word = str_slice(*s, 0, end);
    *s = str_trim(str_slice(*s, end, s->n));
    return word;
}

static bool word_if(struct str *s, const char *word)
{
    struct str rest = *s;
    if (!str_eq_c(word_take(&rest), word)) {
        return false;
    }
    *s = rest;
    return true;
}

static enum err expect_add(struct script_eval *e, enum expect_kind kind, struct script_text text,
                           struct err_info *info)
{
    if (e->expect_count == EXPECTS_MAX) {
        return err_set(info, ERR_LIMIT, "more than %d expectations of one eval", EXPECTS_MAX);
    }
    e->expects[e->expect_count].kind = kind;
    e->expects[e->expect_count++].text = text;
    return ERR_OK;
}

/* from A to B step C */
static enum err range_read(struct str *rest, ts_ms *start, ts_ms *end, int64_t *step, struct err_info *info)
{
    struct {
        const char *word;
        int64_t *to;
    } parts[] = {{"from", start}, {"to", end}, {"step", step}};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        if (!word_if(rest, parts[i].word)) {
            return err_set(info, ERR_INVALID, "\"%s\" is missing", parts[i].word);
        }
        enum err e = script_duration(word_take(rest), parts[i].to, info);
        if (e) {
            return e;
        }
    }
    return *step > 0 && *end >= *start ? ERR_OK
                                       : err_set(info, ERR_INVALID, "the range is empty or has no step");
}

enum err script_eval_read(struct arena *a, struct str head, struct script_eval *ret_eval,
                          struct err_info *reterr_info)
{
    struct script_eval e = {.step = 1};
    struct str rest = head, command = word_take(&rest);
    enum err err = ERR_OK;
    (void)a;
    e.fail = str_eq_c(command, "eval_fail");
    e.ordered = str_eq_c(command, "eval_ordered");
    if (str_eq_c(command, "eval_warn") || str_eq_c(command, "eval_info")) {
        err = expect_add(&e, str_eq_c(command, "eval_warn") ? EXPECT_WARN : EXPECT_INFO,
                         (struct script_text){0}, reterr_info);
    }
    if (word_if(&rest, "instant")) {
        if (word_if(&rest, "at")) {
            err = err ? err : script_duration(word_take(&rest), &e.start, reterr_info);
        }
        e.end = e.start;
    } else if (word_if(&rest, "range")) {
        e.range = true;
        err = err ? err : range_read(&rest, &e.start, &e.end, &e.step, reterr_info);
    } else {
        return err_set(reterr_info, ERR_INVALID, "eval is followed by \"instant\" or \"range\"");
    }
    e.expr = rest;
    *ret_eval = e;
    return err;
}

/* msg: TEXT or regex: TEXT */
static struct script_text text_read(struct str rest)
{
    struct script_text t = {0};
    if (word_if(&rest, "msg:") || word_if(&rest, "regex:")) {
        t = (struct script_text){.given = true, .text = rest};
    }
    return t;
}

static enum err expect_read(struct arena *a, struct script_eval *e, struct str rest, struct err_info *info)
{
    static const char *const kinds[EXPECT_KIND_COUNT] = {"warn", "info", "no_warn", "no_info"};
    struct str kind = word_take(&rest);
    struct script_text text = text_read(rest);
    text.is_regex = str_starts(rest, STR("regex:"));
    for (unsigned i = 0; i < EXPECT_KIND_COUNT; i++) {
        if (str_eq_c(kind, kinds[i])) {
            return expect_add(e, (enum expect_kind)i, text, info);
        }
    }
    if (str_eq_c(kind, "fail")) {
        e->fail = true;
        e->failure = text;
        return ERR_OK;
    }
    if (str_eq_c(kind, "ordered")) {
        e->ordered = true;
        return ERR_OK;
    }
    if (str_eq_c(kind, "string")) {
        e->has_string = true;
        return script_unquote(a, &rest, &e->string) ? err_set(info, ERR_INVALID, "not a quoted string")
                                                    : ERR_OK;
    }
    ts_ms end = 0;
    if (str_eq_c(kind, "range") && word_if(&rest, "vector")) {
        e->has_range_vector = true;
        return range_read(&rest, &e->vector_start, &end, &e->vector_step, info);
    }
    return err_set(info, ERR_INVALID, "unknown expectation \"%.*s\"", STR_FMT(kind));
}

enum err script_eval_line(struct arena *a, struct script_eval *e, struct str line,
                          struct err_info *reterr_info)
{
    struct str rest = line;
    if (word_if(&rest, "expected_fail_message")) {
        e->failure = (struct script_text){.given = true, .text = rest};
        return ERR_OK;
    }
    if (word_if(&rest, "expected_fail_regexp")) {
        e->failure = (struct script_text){.given = true, .is_regex = true, .text = rest};
        return ERR_OK;
    }
    if (word_if(&rest, "expect")) {
        return expect_read(a, e, rest, reterr_info);
    }
    if (script_number(line, &e->scalar) == ERR_OK) {
        e->has_scalar = true;
        return ERR_OK;
    }
    struct script_series s;
    enum err err = script_series_read(a, line, &s, reterr_info);
    return err ? err : script_add(a, &e->want, &s);
}
