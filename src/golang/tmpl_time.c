/* Instants in templates. Layouts, calendar and zones are those of go_time.h and tz.h. */
#include <stdio.h>

#include "golang/go_time.h"
#include "golang/tmpl_int.h"

/* The year 1 in seconds from 1970: Go's zero time. */
#define ZERO_TIME_S INT64_C(-62135596800)

static struct go_moment moment_of(const struct tmpl_time *t)
{
    return (struct go_moment){t->s, t->ns, t->offset_s, t->zone};
}

static struct tmpl_time in_zone(struct tmpl_time t, const struct tz *zone)
{
    t.offset_s = zone ? tz_offset(zone, t.s) : 0;
    (void)snprintf(t.zone, sizeof(t.zone), "%s", zone ? tz_name(zone, t.s) : "UTC");
    return t;
}

/* A zone by name: *ret_owned is what the caller frees. NULL is UTC, also for a name that is none. */
static const struct tz *zone_of(struct str name, struct tz **ret_owned)
{
    *ret_owned = NULL;
    if (str_eq_c(name, "Local")) {
        return tz_local();
    }
    if (name.n == 0 || str_eq_c(name, "UTC") || tz_load(name, ret_owned, NULL)) {
        *ret_owned = NULL;
    }
    return *ret_owned;
}

struct tmpl_time tmpl_time_in(struct tmpl_time t, struct str zone)
{
    struct tz *owned;
    const struct tz *z = zone_of(zone, &owned);
    t = in_zone(t, z);
    tz_free(owned);
    return t;
}

struct tmpl_time tmpl_time_unix(int64_t s, int64_t ns)
{
    int64_t carry = ns / NS_PER_S - (ns % NS_PER_S < 0);
    return in_zone((struct tmpl_time){.s = s + carry, .ns = (int32_t)(ns - carry * NS_PER_S)}, tz_local());
}

void tmpl_time_format(struct buf *b, const struct tmpl_time *t, struct str layout)
{
    struct arena a AUTO_ARENA;
    const struct go_layout *l;
    struct go_moment at = moment_of(t);
    arena_init(&a, 0, NULL);
    enum err e = go_layout_new(&a, layout, &l);
    if (e) {
        b->err = b->err ? b->err : e;
        return;
    }
    go_time_format(l, &at, b);
}

/* What was read, in its own zone: UTC, the place's when that has the same offset then, or one of that name.
 */
static struct tmpl_time placed(const struct go_time *read, const struct tz *zone)
{
    struct tmpl_time t = {.s = go_time_s(read, zone), .ns = read->ns};
    struct tmpl_time there = in_zone(t, read->utc ? NULL : zone);
    bool same = there.offset_s == read->offset_s && (!read->zone.n || str_eq_c(read->zone, there.zone));
    if (!read->has_offset || read->utc || same) {
        return there;
    }
    t.offset_s = read->offset_s;
    (void)snprintf(t.zone, sizeof(t.zone), "%.*s", STR_FMT(read->zone));
    return t;
}

struct tmpl_time tmpl_time_parse(struct str layout, struct str text, struct str zone)
{
    struct tmpl_time t = {.s = ZERO_TIME_S, .zero = true, .zone = "UTC"};
    struct arena a AUTO_ARENA;
    const struct go_layout *l;
    struct go_time read;
    struct tz *owned;
    const struct tz *z = zone_of(zone, &owned);
    arena_init(&a, 0, NULL);
    if (!go_layout_new(&a, layout, &l) && !go_time_parse(l, text, z, &read)) {
        t = placed(&read, z);
    }
    tz_free(owned);
    return t;
}

/* -- methods --------------------------------------------------------------------------------------------- */

static struct tmpl_value method_format(const struct tmpl_time *t, struct str layout, struct arena *a)
{
    struct buf b AUTO_BUF = {0};
    tmpl_time_format(&b, t, layout);
    struct str s = arena_str(a, buf_view(&b));
    return tmpl_string(s.p ? s : STR(""));
}

bool tmpl_time_method(const struct tmpl_time *t, struct str name, const struct tmpl_value *args, size_t n,
                      struct arena *a, struct tmpl_value *ret_value, size_t *ret_argc)
{
    struct go_moment at = moment_of(t);
    struct go_civil c = go_civil_of(&at);
    const struct {
        const char *name;
        struct tmpl_value v;
    } simple[] = {
        {"Unix", tmpl_int64(t->s)},
        {"UnixMilli", tmpl_int64(t->s * 1000 + t->ns / 1000000)},
        {"UnixMicro", tmpl_int64(t->s * 1000000 + t->ns / 1000)},
        {"UnixNano", tmpl_int64(t->s > 9223372036 || t->s < -9223372036 ? 0 : t->s * NS_PER_S + t->ns)},
        {"Year", tmpl_int(c.year)},
        {"Month", {.kind = VAL_MONTH, .i = c.month}},
        {"Day", tmpl_int(c.day)},
        {"Hour", tmpl_int(c.hour)},
        {"Minute", tmpl_int(c.minute)},
        {"Second", tmpl_int(c.second)},
        {"Nanosecond", tmpl_int(t->ns)},
        {"Weekday", {.kind = VAL_WEEKDAY, .i = c.weekday}},
        {"YearDay", tmpl_int(c.yearday)},
        {"IsZero", tmpl_bool(t->s == ZERO_TIME_S && t->ns == 0)},
        {"UTC", {.kind = VAL_TIME, .t = tmpl_time_in(*t, STR("UTC"))}},
        {"Local", {.kind = VAL_TIME, .t = tmpl_time_in(*t, STR("Local"))}},
    };
    *ret_argc = 0;
    for (size_t i = 0; i < ARRAY_LEN(simple); i++) {
        if (str_eq_c(name, simple[i].name)) {
            *ret_value = simple[i].v;
            return true;
        }
    }
    if (str_eq_c(name, "String")) {
        *ret_value = method_format(t, STR("2006-01-02 15:04:05.999999999 -0700 MST"), a);
        return true;
    }
    if (str_eq_c(name, "Format")) {
        *ret_argc = 1;
        *ret_value = method_format(t, n == 1 && args[0].kind == VAL_STRING ? args[0].s : STR(""), a);
        return true;
    }
    return false;
}
