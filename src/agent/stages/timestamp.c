/* timestamp: the entry's time from an extracted value, by Go layout or name. */
#include "agent/stages/fudge.h"
#include "agent/stages/stage.h"
#include "golang/go_time.h"

enum {
    FORMATS_MAX = 16
};

struct format {
    const struct go_layout *layout; /* NULL: a number */
    int64_t unit_ns;                /* of a number; 0 with no layout: seconds with fraction */
    bool named;                     /* location does not apply */
    bool guess_year;
};

struct timestamp_stage {
    struct stage base;
    struct str source;
    struct format formats[FORMATS_MAX];
    size_t format_count;
    struct tz *zone; /* location; NULL: UTC */
    bool skip;
    struct fudge fudge;
};

static const struct {
    const char *name, *layout;
} named[] = {
    {"ANSIC", "Mon Jan _2 15:04:05 2006"},          {"UnixDate", "Mon Jan _2 15:04:05 MST 2006"},
    {"RubyDate", "Mon Jan 02 15:04:05 -0700 2006"}, {"RFC822", "02 Jan 06 15:04 MST"},
    {"RFC822Z", "02 Jan 06 15:04 -0700"},           {"RFC850", "Monday, 02-Jan-06 15:04:05 MST"},
    {"RFC1123", "Mon, 02 Jan 2006 15:04:05 MST"},   {"RFC1123Z", "Mon, 02 Jan 2006 15:04:05 -0700"},
    {"RFC3339", "2006-01-02T15:04:05Z07:00"},       {"RFC3339Nano", "2006-01-02T15:04:05.999999999Z07:00"},
};

static const struct {
    const char *name;
    int64_t unit_ns;
} numeric[] = {{"Unix", 0}, {"UnixMs", 1000000}, {"UnixUs", 1000}, {"UnixNs", 1}};

/* "1591234567", "1591234567.25": seconds, with exactly one point at most. */
static bool unix_seconds(struct str text, ts_ns *ret)
{
    struct str fraction = text, whole = str_cut(&fraction, '.');
    int64_t s, frac = 0;
    if (str_to_i64(whole, &s) || s > INT64_MAX / NS_PER_S || s < INT64_MIN / NS_PER_S) {
        return false;
    }
    if (fraction.p) {
        if (fraction.n == 0 || fraction.n > 18 || str_to_i64(fraction, &frac)) {
            return false;
        }
        for (size_t i = fraction.n; i < 9; i++) {
            frac *= 10;
        }
        for (size_t i = 9; i < fraction.n; i++) {
            frac /= 10;
        }
    }
    *ret = s * NS_PER_S + frac;
    return true;
}

static bool number(const struct format *f, struct str text, ts_ns *ret)
{
    int64_t v;
    if (f->unit_ns == 0) {
        return unix_seconds(text, ret);
    }
    return str_to_i64(text, &v) == ERR_OK && !__builtin_mul_overflow(v, f->unit_ns, ret);
}

/* A date without a year is of this year, unless it is December there and January here, or the reverse. */
static void guess_year(struct go_time *t, ts_ns now)
{
    int month, day;
    civil_of_days(now / NS_PER_S / 86400, &t->year, &month, &day);
    if (t->month == 12 && month == 1) {
        t->year--;
    } else if (t->month == 1 && month == 12) {
        t->year++;
    }
}

static bool read_time(const struct timestamp_stage *s, const struct format *f, struct str text, ts_ns *ret)
{
    struct go_time t;
    const struct tz *zone = f->named ? NULL : s->zone;
    if (!f->layout) {
        return number(f, text, ret);
    }
    if (go_time_parse(f->layout, text, zone ? zone : tz_local(), &t)) {
        return false;
    }
    if (f->guess_year) {
        guess_year(&t, clock_wall_ns(s->base.env->clock));
    }
    *ret = go_time_ns(&t, zone);
    return true;
}

static bool find_time(const struct timestamp_stage *s, struct entry *e, ts_ns *ret)
{
    const struct value *v = entry_value(e, s->source);
    struct str text;
    if (!v || !value_text(v, e->arena, &text)) {
        return false;
    }
    for (size_t i = 0; i < s->format_count; i++) {
        if (read_time(s, &s->formats[i], text, ret)) {
            return true;
        }
    }
    return false;
}

static void timestamp_process(struct stage *base, struct entry *e)
{
    struct timestamp_stage *s = (struct timestamp_stage *)base;
    if (find_time(s, e, &e->ts)) {
        if (!s->skip) {
            fudge_good(&s->fudge, e);
        }
    } else if (!s->skip) {
        fudge_bad(&s->fudge, e);
    }
    stage_pass(base, e);
}

static void timestamp_free(struct stage *base)
{
    struct timestamp_stage *s = (struct timestamp_stage *)base;
    tz_free(s->zone);
    fudge_done(&s->fudge);
}

static const struct stage_ops ops = {.process = timestamp_process, .free = timestamp_free};

static enum err compile(struct arena *a, struct str text, struct format *f)
{
    for (size_t i = 0; i < ARRAY_LEN(numeric); i++) {
        if (str_eq_c(text, numeric[i].name)) {
            *f = (struct format){.unit_ns = numeric[i].unit_ns};
            return ERR_OK;
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(named); i++) {
        if (str_eq_c(text, named[i].name)) {
            *f = (struct format){.named = true};
            return go_layout_new(a, str_c(named[i].layout), &f->layout);
        }
    }
    *f = (struct format){.guess_year = str_find(text, STR("06"), 0) == STR_NPOS};
    return go_layout_new(a, text, &f->layout);
}

static enum err read_formats(struct timestamp_stage *s, const struct yaml_node *n, struct err_info *info)
{
    const struct str *fallbacks = NULL;
    struct arena *a = s->base.env->arena;
    struct str format = {0};
    size_t count = 0;
    enum err e = stage_str(n, "format", &format, info);
    e = e ? e : yaml_str_list(a, stage_option(n, "fallback_formats"), &fallbacks, &count, info);
    if (!e && format.n == 0) {
        return yaml_error(n, info, "timestamp format is required");
    }
    if (!e && count >= FORMATS_MAX) {
        return yaml_error(n, info, "more than %d fallback_formats", FORMATS_MAX - 1);
    }
    e = e ? e : compile(a, format, &s->formats[s->format_count++]);
    for (size_t i = 0; i < count && !e; i++) {
        e = compile(a, fallbacks[i], &s->formats[s->format_count++]);
    }
    return e;
}

static enum err read_options(struct timestamp_stage *s, const struct yaml_node *n, struct err_info *info)
{
    struct str location = {0}, action = STR("fudge");
    enum err e = stage_str(n, "source", &s->source, info);
    e = e ? e : stage_str(n, "location", &location, info);
    e = e ? e : stage_str(n, "action_on_failure", &action, info);
    if (!e && s->source.n == 0) {
        return yaml_error(n, info, "timestamp source value is required if timestamp is specified");
    }
    if (!e && !str_eq_c(action, "fudge") && !str_eq_c(action, "skip")) {
        return yaml_error(stage_option(n, "action_on_failure"), info,
                          "invalid action on failure (supported values are skip and fudge)");
    }
    s->skip = str_eq_c(action, "skip");
    e = e ? e : read_formats(s, n, info);
    struct err_info why = {0};
    if (!e && location.n && tz_load(location, &s->zone, &why)) {
        return yaml_error(stage_option(n, "location"), info, "%s", why.message);
    }
    return e;
}

enum err stage_timestamp_new(const struct stage_env *env, const struct yaml_node *n, struct stage **ret_stage,
                             struct err_info *reterr_info)
{
    static const char *const keys[] = {
        "source", "format", "fallback_formats", "location", "action_on_failure", NULL};
    struct timestamp_stage *s = stage_alloc(env, sizeof(*s), &ops);
    if (!s) {
        return ERR_OOM;
    }
    fudge_init(&s->fudge);
    stage_unknown_options(n, "timestamp", keys);
    enum err e = read_options(s, n, reterr_info);
    if (e) {
        timestamp_free(&s->base);
        return e;
    }
    *ret_stage = &s->base;
    return ERR_OK;
}
