/* A layout is cut into elements once; parsing and formatting walk them. */
#include "golang/go_time_int.h"

struct token {
    const char *text;
    enum element_kind kind;
    uint8_t parts;
    bool colon, z;
};

/* Longer ones before their prefixes. */
static const struct token tokens[] = {
    {"January", EL_LONG_MONTH, 0, false, false},
    {"Jan", EL_MONTH, 0, false, false},
    {"Monday", EL_LONG_WEEKDAY, 0, false, false},
    {"Mon", EL_WEEKDAY, 0, false, false},
    {"MST", EL_ZONE, 0, false, false},
    {"002", EL_ZERO_YEARDAY, 0, false, false},
    {"01", EL_ZERO_MONTH, 0, false, false},
    {"02", EL_ZERO_DAY, 0, false, false},
    {"03", EL_ZERO_HOUR12, 0, false, false},
    {"04", EL_ZERO_MINUTE, 0, false, false},
    {"05", EL_ZERO_SECOND, 0, false, false},
    {"06", EL_YEAR, 0, false, false},
    {"15", EL_HOUR, 0, false, false},
    {"1", EL_NUM_MONTH, 0, false, false},
    {"2006", EL_LONG_YEAR, 0, false, false},
    {"2", EL_DAY, 0, false, false},
    {"__2", EL_UNDER_YEARDAY, 0, false, false},
    {"_2", EL_UNDER_DAY, 0, false, false},
    {"3", EL_HOUR12, 0, false, false},
    {"4", EL_MINUTE, 0, false, false},
    {"5", EL_SECOND, 0, false, false},
    {"PM", EL_PM, 0, false, false},
    {"pm", EL_PM_LOWER, 0, false, false},
    {"-07:00:00", EL_OFFSET, 3, true, false},
    {"-07:00", EL_OFFSET, 2, true, false},
    {"-070000", EL_OFFSET, 3, false, false},
    {"-0700", EL_OFFSET, 2, false, false},
    {"-07", EL_OFFSET, 1, false, false},
    {"Z07:00:00", EL_OFFSET, 3, true, true},
    {"Z07:00", EL_OFFSET, 2, true, true},
    {"Z070000", EL_OFFSET, 3, false, true},
    {"Z0700", EL_OFFSET, 2, false, true},
    {"Z07", EL_OFFSET, 1, false, true},
};

const char *const go_months[12] = {"January", "February", "March",     "April",   "May",      "June",
                                   "July",    "August",   "September", "October", "November", "December"};
const char *const go_weekdays[7] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                    "Thursday", "Friday", "Saturday"};

/* ".000", ",999": a run of one digit that no other digit follows. */
static size_t fraction_at(struct str s, struct go_element *e)
{
    if (s.n < 2 || (s.p[0] != '.' && s.p[0] != ',') || (s.p[1] != '0' && s.p[1] != '9')) {
        return 0;
    }
    size_t n = 1;
    while (n < s.n && s.p[n] == s.p[1]) {
        n++;
    }
    if (n < s.n && go_digit(s.p[n])) {
        return 0;
    }
    *e = (struct go_element){.kind = s.p[1] == '0' ? EL_FRACTION0 : EL_FRACTION9,
                             .n = (uint8_t)(n - 1 < 18 ? n - 1 : 18),
                             .mark = s.p[0]};
    return n;
}

static size_t token_at(struct str s, struct go_element *e)
{
    size_t fraction = fraction_at(s, e);
    if (fraction) {
        return fraction;
    }
    for (size_t i = 0; i < ARRAY_LEN(tokens); i++) {
        struct str t = str_c(tokens[i].text);
        if (!str_starts(s, t)) {
            continue;
        }
        /* "Mont" and "Janet" are words, not Mon and Jan with something behind. */
        bool word = tokens[i].kind == EL_MONTH || tokens[i].kind == EL_WEEKDAY;
        if (word && s.n > t.n && s.p[t.n] >= 'a' && s.p[t.n] <= 'z') {
            continue;
        }
        *e = (struct go_element){
            .kind = tokens[i].kind, .parts = tokens[i].parts, .colon = tokens[i].colon, .z = tokens[i].z};
        return t.n;
    }
    return 0;
}

enum err go_layout_new(struct arena *a, struct str layout, const struct go_layout **ret_layout)
{
    struct go_layout *l = arena_zalloc(a, sizeof(*l));
    struct str text = arena_str(a, layout);
    if (!l || !text.p) {
        return arena_err(a);
    }
    l->e = arena_array(a, layout.n + 1, sizeof(*l->e));
    if (!l->e) {
        return arena_err(a);
    }
    for (size_t i = 0; i < text.n;) {
        struct go_element e = {0};
        size_t n = token_at(str_slice(text, i, text.n), &e);
        struct go_element *last = l->n ? &l->e[l->n - 1] : NULL;
        /* "_2006" is an underscore and a year. */
        if (n == 2 && e.kind == EL_UNDER_DAY && str_starts(str_slice(text, i + 1, text.n), STR("2006"))) {
            n = 0;
        }
        if (n) {
            l->e[l->n++] = e;
            i += n;
        } else if (last && last->kind == EL_TEXT) {
            last->text.n++;
            i++;
        } else {
            l->e[l->n++] = (struct go_element){.text = str_slice(text, i, i + 1)};
            i++;
        }
    }
    *ret_layout = l;
    return ERR_OK;
}
