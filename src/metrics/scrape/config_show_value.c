/* One value of the configuration as text: what the file says, or what stands there otherwise. */
#include "codec/num.h"
#include "codec/units.h"
#include "metrics/scrape/config_show.h"

/* user:password@ of a URL becomes user:xxxxx@, as Go prints it. */
static void redact(struct buf *b, struct str s)
{
    size_t scheme = str_find(s, STR("://"), 0);
    size_t slash = scheme == STR_NPOS ? STR_NPOS : str_find_char(s, '/', scheme + 3);
    size_t at = scheme == STR_NPOS ? STR_NPOS : str_find_char(s, '@', scheme + 3);
    size_t colon = scheme == STR_NPOS ? STR_NPOS : str_find_char(s, ':', scheme + 3);
    if (at == STR_NPOS || colon == STR_NPOS || colon > at || (slash != STR_NPOS && slash < at)) {
        buf_str(b, s);
        return;
    }
    buf_append(b, s.p, colon + 1);
    buf_c(b, "xxxxx");
    buf_append(b, s.p + at, s.n - at);
}

void show_path(struct buf *b, const struct yaml_node *n, struct str path)
{
    struct buf joined AUTO_BUF = {0};
    struct str file = str_c(n ? n->file : NULL);
    while (file.n && file.p[file.n - 1] != '/') {
        file.n--;
    }
    if (path.n == 0 || path.p[0] == '/') {
        buf_str(b, path);
        return;
    }
    buf_str(&joined, file);
    buf_str(&joined, path);
    struct str rest = buf_view(&joined);
    size_t start = b->n;
    bool rooted = rest.n && rest.p[0] == '/';
    buf_c(b, rooted ? "/" : "");
    size_t root = b->n;
    while (rest.p) {
        struct str part = str_cut(&rest, '/');
        size_t last = b->n;
        while (last > root && b->p[last - 1] != '/') {
            last--;
        }
        bool climbs = str_eq_c(str_of(b->p + last, b->n - last), "..");
        if (str_eq_c(part, "..") && b->n > root && !climbs) {
            b->n = last > root ? last - 1 : root;
        } else if (part.n && !str_eq_c(part, ".") && !(str_eq_c(part, "..") && rooted)) {
            buf_c(b, b->n > root ? "/" : "");
            buf_str(b, part);
        }
    }
    buf_c(b, b->n == start ? "." : "");
}

static void lower(struct buf *b, struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        buf_char(b, (char)(s.p[i] >= 'A' && s.p[i] <= 'Z' ? s.p[i] + ('a' - 'A') : s.p[i]));
    }
}

static struct str text_of(const struct show_field *f, const struct yaml_node *n)
{
    return yaml_is_null(n) ? str_c(f->otherwise) : n->text;
}

static bool put_number(struct buf *b, const struct show_field *f, const struct yaml_node *n)
{
    struct err_info unused = {0};
    struct str given = text_of(f, n);
    int64_t ms = 0, i = 0;
    uint64_t size = 0;
    double v = 0;
    char digits[NUM_F64_BYTES_MAX];
    switch ((int)f->kind) {
    case SHOW_DURATION:
    case SHOW_LATE_MS:
        ms = units_duration_parse(given, &ms) ? 0 : ms; /* what does not run here is not checked */
        if (f->kind == SHOW_DURATION) {
            units_duration_format(b, ms);
        } else {
            buf_printf(b, "%lld", (long long)ms);
        }
        return ms != 0;
    case SHOW_SIZE:
        size = units_size_parse(given, true, &size) ? 0 : size;
        units_size_format(b, size);
        return size != 0;
    case SHOW_FLOAT:
        v = yaml_f64(n, &v, &unused) ? 0 : v;
        buf_append(b, digits, num_f64_format(digits, v, 'g'));
        return v != 0;
    default:
        if (!yaml_is_null(n) || str_to_i64(given, &i)) {
            i = yaml_i64(n, &i, &unused) ? 0 : i;
        }
        buf_printf(b, "%lld", (long long)i);
        return i != 0;
    }
}

static bool is_number_kind(enum show_kind kind)
{
    return kind == SHOW_INT || kind == SHOW_FLOAT || kind == SHOW_DURATION || kind == SHOW_SIZE ||
           kind == SHOW_LATE_MS;
}

bool show_value(const struct show_field *f, const struct yaml_node *n, struct buf *b, bool *ret_plain)
{
    struct err_info unused = {0};
    struct str given = text_of(f, n);
    *ret_plain = f->kind == SHOW_BOOL || f->kind == SHOW_NULL || is_number_kind(f->kind);
    if (is_number_kind(f->kind)) {
        return put_number(b, f, n);
    }
    if (f->kind == SHOW_BOOL) {
        bool on = f->otherwise && str_eq_c(str_c(f->otherwise), "true");
        on = !yaml_bool(n, &on, &unused) && on;
        buf_c(b, on ? "true" : "false");
        return on;
    }
    if (f->kind == SHOW_NULL || (f->kind == SHOW_SECRET && given.n == 0)) {
        *ret_plain = true;
        buf_c(b, "null");
        return false;
    }
    if (f->kind == SHOW_SECRET) {
        buf_c(b, "<secret>");
    } else if (f->kind == SHOW_URL) {
        redact(b, given);
    } else if (f->kind == SHOW_PATH) {
        show_path(b, n, given);
    } else if (f->kind == SHOW_LOWER) {
        lower(b, given);
    } else {
        buf_str(b, given);
    }
    return given.n > 0;
}
