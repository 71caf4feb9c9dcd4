/* The one flag parser of the program: looks a name up in the caller's tables and stores its value. Pure but
 * for the caller's structs. */
#include "cairn/flags.h"

#include <string.h>

#include "codec/units.h"

enum {
    NAMES_MAX = 512 /* of all sets, for the nearest valid name */
};

static const struct flag *find(const struct flag_set *sets, size_t set_count, struct str name,
                               void **ret_values)
{
    for (size_t s = 0; s < set_count; s++) {
        for (size_t i = 0; i < sets[s].n; i++) {
            if (str_eq_c(name, sets[s].flags[i].name)) {
                *ret_values = sets[s].values;
                return &sets[s].flags[i];
            }
        }
    }
    return NULL;
}

static enum err unknown(const struct flag_set *sets, size_t set_count, struct str name,
                        struct err_info *reterr_info)
{
    const char *names[NAMES_MAX] = {"help"};
    size_t n = 1;
    for (size_t s = 0; s < set_count; s++) {
        for (size_t i = 0; i < sets[s].n && n < NAMES_MAX; i++) {
            names[n++] = sets[s].flags[i].name;
        }
    }
    const char *near = str_nearest(name, names, n);
    if (near) {
        return err_set(reterr_info, ERR_INVALID, "unknown flag --%.*s, did you mean --%s?", STR_FMT(name),
                       near);
    }
    return err_set(reterr_info, ERR_INVALID, "unknown flag --%.*s, see --help", STR_FMT(name));
}

static enum err set_bool(const struct flag *f, struct str text, void *field, struct err_info *reterr_info)
{
    bool yes = str_eq_c(text, "true") || str_eq_c(text, "1");
    if (!yes && !str_eq_c(text, "false") && !str_eq_c(text, "0")) {
        return err_set(reterr_info, ERR_INVALID, "--%s: \"%.*s\" is neither true nor false", f->name,
                       STR_FMT(text));
    }
    *(bool *)field = yes;
    return ERR_OK;
}

static enum err set_value(const struct flag *f, struct str text, void *field, struct err_info *reterr_info)
{
    switch (f->kind) {
    case FLAG_STR:
        *(struct str *)field = text;
        return ERR_OK;
    case FLAG_BOOL:
        return set_bool(f, text, field, reterr_info);
    case FLAG_U64:
        return str_to_u64(text, field)
                   ? err_set(reterr_info, ERR_INVALID, "--%s: \"%.*s\" is not a whole number", f->name,
                             STR_FMT(text))
                   : ERR_OK;
    case FLAG_DURATION: {
        int64_t ns = 0;
        if (units_duration_parse(text, field) == ERR_OK) {
            return ERR_OK;
        }
        if (units_go_duration_parse(text, &ns) == ERR_OK && ns >= 0) {
            *(int64_t *)field = ns / 1000000;
            return ERR_OK;
        }
        return err_set(reterr_info, ERR_INVALID, "--%s: \"%.*s\" is not a duration like 15d or 1h30m",
                       f->name, STR_FMT(text));
    }
    case FLAG_SIZE:
        return units_size_parse(text, true, field)
                   ? err_set(reterr_info, ERR_INVALID, "--%s: \"%.*s\" is not a size like 512MB", f->name,
                             STR_FMT(text))
                   : ERR_OK;
    case FLAG_LIST: {
        struct flag_list *list = field;
        if (list->n == FLAG_LIST_MAX) {
            return err_set(reterr_info, ERR_LIMIT, "--%s may be given at most %d times", f->name,
                           FLAG_LIST_MAX);
        }
        list->items[list->n++] = text;
        return ERR_OK;
    }
    }
    return err_set(reterr_info, ERR_INTERNAL, "--%s has no kind", f->name);
}

struct parse {
    int argc, at;
    char **argv;
    const struct flag_set *sets;
    size_t set_count;
    void (*seen)(void *ctx, const struct flag *f, struct str value);
    void *seen_ctx;
    struct err_info *info;
};

/* One flag at argv[at]; moves `at` to the last argument used. */
static enum err flag_at(struct parse *p)
{
    const char *argument = p->argv[p->at];
    struct str name = str_c(argument + (argument[1] == '-' ? 2 : 1));
    size_t equals = str_find_char(name, '=', 0);
    bool has_value = equals != STR_NPOS;
    struct str value = has_value ? str_slice(name, equals + 1, name.n) : (struct str){0};
    name.n = has_value ? equals : name.n;
    void *values = NULL;
    const struct flag *f = find(p->sets, p->set_count, name, &values);
    if (!f && !has_value && str_starts(name, STR("no-"))) {
        f = find(p->sets, p->set_count, str_slice(name, 3, name.n), &values);
        f = f && f->kind == FLAG_BOOL ? f : NULL;
        value = STR("false");
        has_value = f != NULL;
    }
    if (!f) {
        return unknown(p->sets, p->set_count, name, p->info);
    }
    if (!has_value && f->kind == FLAG_BOOL) {
        value = STR("true");
    } else if (!has_value) {
        if (p->at + 1 >= p->argc) {
            return err_set(p->info, ERR_INVALID, "--%s needs a value", f->name);
        }
        value = str_c(p->argv[++p->at]);
    }
    enum err e = set_value(f, value, (char *)values + f->offset, p->info);
    if (!e && p->seen) {
        p->seen(p->seen_ctx, f, value);
    }
    return e;
}

enum err flags_parse(int argc, char **argv, const struct flag_set *sets, size_t set_count,
                     const char **ret_args, size_t args_max, size_t *ret_arg_count,
                     void (*seen)(void *ctx, const struct flag *f, struct str value), void *seen_ctx,
                     struct err_info *reterr_info)
{
    struct parse p = {argc, 1, argv, sets, set_count, seen, seen_ctx, reterr_info};
    size_t args = 0;
    for (; p.at < argc; p.at++) {
        const char *argument = argv[p.at];
        if (argument[0] == '-' && argument[1] != '\0') {
            enum err e = flag_at(&p);
            if (e) {
                return e;
            }
        } else if (args == args_max) {
            return err_set(reterr_info, ERR_INVALID, "unexpected argument \"%s\", see --help", argument);
        } else {
            ret_args[args++] = argument;
        }
    }
    *ret_arg_count = args;
    return ERR_OK;
}

static const char *placeholder(enum flag_kind kind)
{
    static const char *const names[] = {
        [FLAG_STR] = "=TEXT",          [FLAG_BOOL] = "",      [FLAG_U64] = "=N",
        [FLAG_DURATION] = "=DURATION", [FLAG_SIZE] = "=SIZE", [FLAG_LIST] = "=TEXT ..."};
    return names[kind];
}

void flags_help(struct buf *b, const struct flag_set *sets, size_t set_count)
{
    for (size_t s = 0; s < set_count; s++) {
        buf_printf(b, "\n%s\n", sets[s].title);
        for (size_t i = 0; i < sets[s].n; i++) {
            const struct flag *f = &sets[s].flags[i];
            if (!f->help) {
                continue;
            }
            size_t from = b->n;
            buf_printf(b, "  --%s%s", f->name, placeholder(f->kind));
            size_t width = b->n - from;
            buf_printf(b, "%*s %s", width < 44 ? (int)(44 - width) : 1, "", f->help);
            if (f->fallback && f->fallback[0]) {
                buf_printf(b, " (default %s)", f->fallback);
            }
            buf_char(b, '\n');
        }
    }
}
