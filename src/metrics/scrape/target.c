/* Target assembly, in the order Prometheus does it. */
#include "metrics/scrape/target.h"

#include <stdio.h>

#include "base/hash.h"
#include "codec/units.h"
#include "metrics/scrape/limits.h"

#define FNV_OFFSET UINT64_C(14695981039346656037)
#define FNV_PRIME UINT64_C(1099511628211)

static uint64_t fnv1a(uint64_t h, struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        h = (h ^ (unsigned char)s.p[i]) * FNV_PRIME;
    }
    return h;
}

/* -- defaults -------------------------------------------------------------------------------------------- */

/* Sets the label where it is empty. */
static enum err set_default(struct arena *a, struct labels *ls, struct str name, struct str value)
{
    if (labels_get(*ls, name).n || value.n == 0) {
        return ERR_OK;
    }
    return labels_with(a, *ls, name, value, ls);
}

static struct str duration_text(struct arena *a, int64_t ms)
{
    struct buf b AUTO_BUF = {0};
    units_duration_format(&b, ms);
    return b.err ? (struct str){0} : arena_str(a, buf_view(&b));
}

static struct str bool_text(bool v)
{
    return v ? STR("true") : STR("false");
}

static enum err set_params(struct arena *a, const struct scrape_job *job, struct labels *ls)
{
    enum err e = ERR_OK;
    for (size_t i = 0; i < job->param_count && !e; i++) {
        if (job->params[i].n) {
            struct str name = arena_printf(a, "__param_%.*s", STR_FMT(job->params[i].name));
            e = name.p ? set_default(a, ls, name, job->params[i].values[0]) : arena_err(a);
        }
    }
    return e;
}

enum err target_discovered(struct arena *a, const struct scrape_job *job, struct labels target,
                           struct labels group, struct labels *ret_labels)
{
    struct labels ls = target;
    enum err e = ERR_OK;
    for (size_t i = 0; i < group.n && !e; i++) {
        e = set_default(a, &ls, group.l[i].name, group.l[i].value);
    }
    struct str interval = duration_text(a, job->d.interval_ms), timeout = duration_text(a, job->d.timeout_ms);
    if (!interval.p || !timeout.p) {
        return ERR_OOM;
    }
    const struct label defaults[] = {
        {STR("job"), job->name},
        {STR("__scrape_interval__"), interval},
        {STR("__scrape_timeout__"), timeout},
        {STR("__metrics_path__"), job->metrics_path},
        {STR("__scheme__"), job->scheme},
        {STR("__scrape_native_histograms__"), bool_text(job->d.native_histograms)},
        {STR("__always_scrape_classic_histograms__"), bool_text(job->d.classic_histograms)},
        {STR("__convert_classic_histograms_to_nhcb__"), bool_text(job->d.convert_classic_histograms)},
    };
    for (size_t i = 0; i < ARRAY_LEN(defaults) && !e; i++) {
        e = set_default(a, &ls, defaults[i].name, defaults[i].value);
    }
    e = e ? e : set_params(a, job, &ls);
    if (!e) {
        *ret_labels = ls;
    }
    return e;
}

/* -- after relabelling ----------------------------------------------------------------------------------- */

static enum err read_interval(struct labels ls, const char *name, int64_t *value, struct err_info *info)
{
    struct str text = labels_get(ls, str_c(name));
    if (units_duration_parse(text, value) != ERR_OK || *value <= 0) {
        return err_set(info, ERR_INVALID, "error parsing %s label \"%.*s\": not a valid duration above 0",
                       name, STR_FMT(text));
    }
    return ERR_OK;
}

static enum err read_bool(struct labels ls, const char *name, bool *value, struct err_info *info)
{
    struct str text = labels_get(ls, str_c(name));
    if (str_eq_c(text, "true") || str_eq_c(text, "false")) {
        *value = str_eq_c(text, "true");
        return ERR_OK;
    }
    return err_set(info, ERR_INVALID, "error parsing %s label \"%.*s\": true or false expected", name,
                   STR_FMT(text));
}

static enum err read_settings(struct labels ls, struct target_spec *s, struct err_info *info)
{
    enum err e = read_interval(ls, "__scrape_interval__", &s->interval_ms, info);
    e = e ? e : read_interval(ls, "__scrape_timeout__", &s->timeout_ms, info);
    if (!e && s->timeout_ms > s->interval_ms) {
        return err_set(info, ERR_INVALID,
                       "scrape timeout cannot be greater than scrape interval (\"%.*s\" > \"%.*s\")",
                       STR_FMT(labels_get(ls, STR("__scrape_timeout__"))),
                       STR_FMT(labels_get(ls, STR("__scrape_interval__"))));
    }
    e = e ? e : read_bool(ls, "__scrape_native_histograms__", &s->native_histograms, info);
    e = e ? e : read_bool(ls, "__always_scrape_classic_histograms__", &s->classic_histograms, info);
    return e ? e
             : read_bool(ls, "__convert_classic_histograms_to_nhcb__", &s->convert_classic_histograms, info);
}

/* As url.QueryEscape. */
static void query_escape(struct buf *b, struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
            c == '_' || c == '.' || c == '~') {
            buf_char(b, (char)c);
        } else if (c == ' ') {
            buf_char(b, '+');
        } else {
            buf_printf(b, "%%%02X", c);
        }
    }
}

static void add_param(struct buf *b, bool *any, struct str name, struct str value)
{
    buf_char(b, *any ? '&' : '?');
    *any = true;
    query_escape(b, name);
    buf_char(b, '=');
    query_escape(b, value);
}

static bool has_param(const struct scrape_job *job, struct str name)
{
    for (size_t i = 0; i < job->param_count; i++) {
        if (str_eq(job->params[i].name, name)) {
            return true;
        }
    }
    return false;
}

/* scheme://address path ? params; __param_x replaces the first value of x. */
static struct str make_url(struct arena *a, const struct scrape_job *job, struct labels ls)
{
    struct buf b AUTO_BUF = {0};
    struct str prefix = STR("__param_"), path = labels_get(ls, STR("__metrics_path__"));
    bool any = str_find_char(path, '?', 0) != STR_NPOS;
    buf_str(&b, labels_get(ls, STR("__scheme__")));
    buf_c(&b, "://");
    buf_str(&b, labels_get(ls, STR("__address__")));
    buf_c(&b, path.n && path.p[0] == '/' ? "" : "/");
    buf_str(&b, path);
    for (size_t i = 0; i < job->param_count; i++) {
        const struct scrape_param *p = &job->params[i];
        struct str name = arena_printf(a, "__param_%.*s", STR_FMT(p->name));
        struct str first = labels_get(ls, name);
        for (size_t k = 0; k < p->n; k++) {
            add_param(&b, &any, p->name, k == 0 && first.n ? first : p->values[k]);
        }
    }
    for (size_t i = 0; i < ls.n; i++) {
        struct str name = ls.l[i].name;
        if (str_starts(name, prefix) && !has_param(job, str_of(name.p + prefix.n, name.n - prefix.n))) {
            add_param(&b, &any, str_of(name.p + prefix.n, name.n - prefix.n), ls.l[i].value);
        }
    }
    return b.err ? (struct str){0} : arena_str(a, buf_view(&b));
}

static enum err public_labels(struct arena *a, struct labels ls, struct labels *ret_labels,
                              struct err_info *info)
{
    struct label *l = arena_array(a, ls.n + 1, sizeof(*l));
    size_t n = 0;
    if (!l) {
        return arena_err(a);
    }
    for (size_t i = 0; i < ls.n; i++) {
        if (str_starts(ls.l[i].name, STR("__"))) {
            continue;
        }
        if (!str_utf8_valid(ls.l[i].value)) {
            return err_set(info, ERR_INVALID, "invalid label value for \"%.*s\": not UTF-8",
                           STR_FMT(ls.l[i].name));
        }
        l[n++] = ls.l[i];
    }
    *ret_labels = (struct labels){l, n};
    return ERR_OK;
}

static uint64_t identity_of(struct labels ls, struct str url)
{
    char text[24];
    int n = snprintf(text, sizeof(text), "%016llu", (unsigned long long)labels_hash(ls));
    return fnv1a(fnv1a(FNV_OFFSET, str_of(text, n > 0 ? (size_t)n : 0)), url);
}

enum err target_assemble(struct arena *a, const struct scrape_job *job, struct labels target,
                         struct labels group, struct target_spec *ret_spec, struct err_info *reterr_info)
{
    struct target_spec s = {0};
    struct labels ls = {0};
    bool keep = false;
    enum err e = target_discovered(a, job, target, group, &s.discovered);
    e = e ? e : relabel(a, job->relabel, job->relabel_count, s.discovered, &ls, &keep);
    if (e) {
        return err_set(reterr_info, e, "%s", err_text(e));
    }
    if (!keep) {
        s.dropped = true;
        *ret_spec = s;
        return ERR_OK;
    }
    struct str address = labels_get(ls, STR("__address__"));
    if (address.n == 0) {
        return err_set(reterr_info, ERR_INVALID, "no address");
    }
    if (str_find_char(address, '/', 0) != STR_NPOS) {
        return err_set(reterr_info, ERR_INVALID, "\"%.*s\" is not a valid hostname", STR_FMT(address));
    }
    e = read_settings(ls, &s, reterr_info);
    e = e ? e : set_default(a, &ls, STR("instance"), address);
    e = e ? e : public_labels(a, ls, &s.labels, reterr_info);
    if (e) {
        return e;
    }
    s.dropped = s.labels.n == 0;
    s.url = make_url(a, job, ls);
    s.unix_socket = labels_get(ls, STR("__unix_socket__"));
    s.identity = identity_of(s.labels, s.url);
    *ret_spec = s;
    return s.url.p ? ERR_OK : ERR_OOM;
}
