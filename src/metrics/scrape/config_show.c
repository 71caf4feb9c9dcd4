/* Writes the sections of the configuration by their tables. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "codec/units.h"
#include "codec/yaml_text.h"
#include "metrics/scrape/config_show.h"

struct show {
    struct buf *b;
    const struct prom_config *config;
    const struct prom_config_flags *flags;
    const void *at; /* what SHOW_AT_* reads */
    size_t depth;
    bool dash;    /* the next key begins a list's item */
    bool dry;     /* nothing is written, only looked for values that are not zero */
    bool nonzero; /* there was one */
};

static void show_section(struct show *s, const struct show_section *section, const struct yaml_node *n);

/* -- lines -------------------------------------------------------------------------------------------------
 */

static void blanks(struct show *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        buf_char(s->b, ' ');
    }
}

static void put_text(struct show *s, struct str text)
{
    const char *line = s->b->p + s->b->n;
    while (line > s->b->p && line[-1] != '\n') {
        line--;
    }
    yaml_text(s->b, text, YAML_IN_BLOCK, (size_t)(s->b->p + s->b->n - line), 2 * s->depth + 2);
}

static void put_key(struct show *s, struct str key)
{
    blanks(s, 2 * (s->depth - s->dash));
    buf_c(s->b, s->dash ? "- " : "");
    s->dash = false;
    yaml_text(s->b, key, YAML_AS_KEY, 2 * s->depth, 0);
    buf_char(s->b, ':');
}

static void put_member(struct show *s, struct str key, struct str value, bool is_string)
{
    put_key(s, key);
    buf_char(s->b, ' ');
    if (is_string) {
        put_text(s, value);
    } else {
        buf_str(s->b, value);
    }
    buf_char(s->b, '\n');
}

/* An item of a list whose key stands at the same depth. */
static void put_item(struct show *s, struct str value)
{
    blanks(s, 2 * s->depth);
    buf_c(s->b, "- ");
    put_text(s, value);
    buf_char(s->b, '\n');
}

/* True when the value is to be written. */
static bool wanted(struct show *s, const struct show_field *f, bool nonzero)
{
    s->nonzero |= nonzero;
    return !s->dry && (nonzero || f->always);
}

static void show_scalar(struct show *s, const struct show_field *f, const struct yaml_node *n)
{
    struct buf text AUTO_BUF = {0};
    bool plain = false;
    bool nonzero = show_value(f, n, &text, &plain) || (f->kind == SHOW_GIVEN && !yaml_is_null(n));
    if (wanted(s, f, nonzero)) {
        put_member(s, str_c(f->key), buf_view(&text), !plain);
    }
}

/* -- lists and maps ----------------------------------------------------------------------------------------
 */

static void item_of(struct show *s, const struct show_field *f, const struct yaml_node *n)
{
    struct buf text AUTO_BUF = {0};
    if (f->kind == SHOW_PATHS) {
        show_path(&text, n, n->text);
    } else if (f->kind == SHOW_SECRETS || f->kind == SHOW_SECRET_LISTS) {
        buf_c(&text, "<secret>");
    } else {
        buf_str(&text, f->kind == SHOW_TRIMMED ? str_trim(n->text) : n->text);
    }
    put_item(s, buf_view(&text));
}

static void show_flow(struct show *s, const struct show_field *f, const struct yaml_node *n)
{
    put_key(s, str_c(f->key));
    buf_c(s->b, " [");
    for (const struct yaml_node *c = n->child; c; c = c->next) {
        yaml_text(s->b, c->text, YAML_IN_FLOW, 0, 0);
        buf_c(s->b, c->next ? ", " : "]\n");
    }
}

/* A list of texts; a single one counts as a list. */
static void show_list(struct show *s, const struct show_field *f, const struct yaml_node *n)
{
    size_t count = yaml_is_null(n) ? 0 : n->kind == YAML_LIST ? n->count : 1;
    if (!wanted(s, f, count > 0)) {
        return;
    }
    if (count == 0) {
        put_member(s, str_c(f->key), STR("[]"), false);
    } else if (f->kind == SHOW_FLOW && n->kind == YAML_LIST) {
        show_flow(s, f, n);
    } else {
        put_key(s, str_c(f->key));
        buf_char(s->b, '\n');
        for (const struct yaml_node *c = n->kind == YAML_LIST ? n->child : n; c;
             c = n->kind == YAML_LIST ? c->next : NULL) {
            item_of(s, f, c);
        }
    }
}

static int by_key(const void *a, const void *b)
{
    const struct yaml_node *const *x = a, *const *y = b;
    return yaml_key_cmp((*x)->key, (*y)->key);
}

/* The members of a map in order; NULL when memory runs out (the buffer tells). */
static const struct yaml_node **sorted(struct show *s, const struct yaml_node *map)
{
    const struct yaml_node **all = mem_array(map->count + 1, sizeof(*all));
    size_t n = 0;
    if (!all) {
        s->b->err = ERR_OOM;
        return NULL;
    }
    for (const struct yaml_node *c = map->child; c; c = c->next) {
        all[n++] = c;
    }
    qsort((void *)all, n, sizeof(*all), by_key);
    return all;
}

static void show_any(struct show *s, const struct yaml_node *n)
{
    const struct show_field text = {.key = NULL, .kind = SHOW_STR};
    const struct yaml_node **all = n->kind == YAML_MAP ? sorted(s, n) : NULL;
    for (size_t i = 0; all && i < n->count; i++) {
        bool quoted = all[i]->quoted;
        if (all[i]->kind == YAML_SCALAR) {
            put_member(s, all[i]->key, all[i]->text, quoted);
        } else {
            put_key(s, all[i]->key);
            buf_c(s->b, all[i]->child ? "\n" : " null\n");
            s->depth += all[i]->kind == YAML_MAP;
            show_any(s, all[i]);
            s->depth -= all[i]->kind == YAML_MAP;
        }
    }
    for (const struct yaml_node *c = n->kind == YAML_LIST ? n->child : NULL; c; c = c->next) {
        item_of(s, &text, c);
    }
    mem_free((void *)all);
}

static void show_map_member(struct show *s, const struct show_field *f, const struct yaml_node *n)
{
    struct show_field list = {.kind = SHOW_STRS, .always = true};
    if (f->kind == SHOW_MAP) {
        put_member(s, n->key, n->text, true);
        return;
    }
    put_key(s, n->key);
    if (f->kind == SHOW_HEADERS) {
        buf_char(s->b, '\n');
        s->depth++;
        show_section(s, f->section, n);
        s->depth--;
        return;
    }
    list.kind = f->kind;
    buf_c(s->b, n->count || n->kind == YAML_SCALAR ? "\n" : " []\n");
    for (const struct yaml_node *c = n->kind == YAML_LIST ? n->child : n; c;
         c = n->kind == YAML_LIST ? c->next : NULL) {
        item_of(s, &list, c);
    }
}

static void show_map(struct show *s, const struct show_field *f, const struct yaml_node *n)
{
    bool any = !yaml_is_null(n) && n->kind == YAML_MAP && n->count > 0;
    if (!wanted(s, f, any)) {
        return;
    }
    const struct yaml_node **all = sorted(s, n);
    put_key(s, str_c(f->key));
    buf_char(s->b, '\n');
    s->depth++;
    if (f->kind == SHOW_ANY) {
        show_any(s, n);
    }
    for (size_t i = 0; all && f->kind != SHOW_ANY && i < n->count; i++) {
        show_map_member(s, f, all[i]);
    }
    s->depth--;
    mem_free((void *)all);
}

/* -- sections ----------------------------------------------------------------------------------------------
 */

static bool section_zero(const struct show *s, const struct show_section *section, const struct yaml_node *n)
{
    struct show look = *s;
    look.dry = true;
    look.nonzero = false;
    show_section(&look, section, n);
    return !look.nonzero;
}

static void show_one(struct show *s, const struct show_field *f, const struct yaml_node *n)
{
    bool emptied = f->kind == SHOW_DEFAULTED && n && yaml_is_null(n);
    bool zero = f->kind == SHOW_ONE ? yaml_is_null(n) : emptied || section_zero(s, f->section, n);
    if (!wanted(s, f, !zero)) {
        return;
    }
    put_key(s, str_c(f->key));
    size_t before = s->b->n;
    buf_char(s->b, '\n');
    s->depth++;
    show_section(s, f->section, n);
    s->depth--;
    if (s->b->n == before + 1) {
        s->b->n = before;
        buf_c(s->b, " {}\n");
    }
}

static void show_item(struct show *s, const struct show_section *section, const struct yaml_node *n)
{
    s->depth++;
    s->dash = true;
    show_section(s, section, n);
    s->depth--;
    if (s->dash) {
        blanks(s, 2 * s->depth);
        buf_c(s->b, "- {}\n");
        s->dash = false;
    }
}

static const struct scrape_job *job_of(const struct prom_config *c, const struct yaml_node *n)
{
    for (size_t i = 0; i < c->job_count; i++) {
        if (c->jobs[i].node == n) {
            return &c->jobs[i];
        }
    }
    return NULL;
}

static void show_many(struct show *s, const struct show_field *f, const struct yaml_node *n)
{
    bool any = !yaml_is_null(n) && n->count > 0;
    if (!wanted(s, f, any)) {
        return;
    }
    if (!any) {
        put_member(s, str_c(f->key), STR("[]"), false);
        return;
    }
    put_key(s, str_c(f->key));
    buf_char(s->b, '\n');
    const void *at = s->at;
    for (const struct yaml_node *c = n->child; c; c = c->next) {
        s->at = f->kind == SHOW_JOBS ? job_of(s->config, c) : at;
        if (s->at) {
            show_item(s, f->section, c);
        }
    }
    s->at = at;
}

static void show_groups(struct show *s, const struct show_field *f, const struct yaml_node *n)
{
    static const struct show_field fields[] = {{"targets", SHOW_STRS, true, NULL, NULL, 0},
                                               {"labels", SHOW_MAP, false, NULL, NULL, 0}};
    static const struct show_section group = {fields, ARRAY_LEN(fields)};
    struct show_field many = *f;
    many.section = &group;
    show_many(s, &many, n);
}

static void show_authorization(struct show *s, const struct show_field *f, const struct yaml_node *parent)
{
    const struct yaml_node *own = yaml_get(parent, f->key), *token = yaml_get(parent, "bearer_token"),
                           *file = yaml_get(parent, "bearer_token_file");
    struct show_field section = *f;
    section.kind = SHOW_ONE;
    if (!yaml_is_null(own) || (yaml_is_null(token) && yaml_is_null(file))) {
        show_one(s, &section, own);
    } else if (wanted(s, f, true)) {
        const struct show_field secret = {.key = "credentials", .kind = SHOW_SECRET},
                                path = {.key = "credentials_file", .kind = SHOW_PATH};
        put_key(s, str_c(f->key));
        buf_char(s->b, '\n');
        s->depth++;
        put_member(s, STR("type"), STR("Bearer"), true);
        show_scalar(s, &secret, token);
        show_scalar(s, &path, file);
        s->depth--;
    }
}

/* Without a section of its own the command line's retention holds. */
static void show_retention(struct show *s, const struct show_field *f, const struct yaml_node *n)
{
    struct show_field section = *f;
    section.kind = SHOW_ONE;
    if (!yaml_is_null(n)) {
        show_one(s, &section, n);
    } else if (wanted(s, f, true)) {
        struct buf text AUTO_BUF = {0};
        put_key(s, str_c(f->key));
        buf_char(s->b, '\n');
        s->depth++;
        if (s->flags && s->flags->retention_ms) {
            units_duration_format(&text, s->flags->retention_ms);
            put_member(s, STR("time"), buf_view(&text), true);
        }
        buf_reset(&text);
        if (s->flags && s->flags->retention_bytes) {
            units_size_format(&text, s->flags->retention_bytes);
            put_member(s, STR("size"), buf_view(&text), true);
        }
        s->depth--;
    }
}

static void show_exemplars(struct show *s, const struct show_field *f, const struct yaml_node *n)
{
    static const struct show_field kept[] = {{"max_exemplars", SHOW_INT, false, "100000", NULL, 0}};
    static const struct show_section by_default = {kept, ARRAY_LEN(kept)};
    struct show_field section = *f;
    section.kind = SHOW_ONE;
    if (yaml_is_null(n) && s->flags && s->flags->exemplars) {
        section.kind = SHOW_VALUE;
        section.section = &by_default;
    }
    show_one(s, &section, n);
}

/* -- what was resolved while reading ------------------------------------------------------------------------
 */

/* With values from the environment; those that came out empty are shown as well. */
static void show_labels(struct show *s, const struct show_field *f, const struct yaml_node *n)
{
    bool any = !yaml_is_null(n) && n->count > 0;
    if (!wanted(s, f, any)) {
        return;
    }
    const struct yaml_node **all = sorted(s, n);
    put_key(s, str_c(f->key));
    buf_char(s->b, '\n');
    s->depth++;
    for (size_t i = 0; all && i < n->count; i++) {
        put_member(s, all[i]->key, labels_get(s->config->external_labels, all[i]->key), true);
    }
    s->depth--;
    mem_free((void *)all);
}

static void show_protocols(struct show *s, const struct show_field *f, const struct scrape_protocols *given)
{
    const struct scrape_job *job = s->at;
    struct scrape_protocols p = *given;
    for (uint8_t i = job->d.native_histograms ? SCRAPE_PROTO : SCRAPE_OM_1_0_0;
         given->n == 0 && i < SCRAPE_PROTOCOL_COUNT; i++) {
        p.order[p.n++] = i;
    }
    if (!wanted(s, f, true)) {
        return;
    }
    put_key(s, str_c(f->key));
    buf_char(s->b, '\n');
    for (size_t i = 0; i < p.n; i++) {
        put_item(s, str_c(scrape_protocol_name((enum scrape_protocol)p.order[i])));
    }
}

static void show_at(struct show *s, const struct show_field *f)
{
    const void *at = (const char *)s->at + f->offset;
    struct buf text AUTO_BUF = {0};
    bool nonzero = true, is_string = false;
    switch ((int)f->kind) {
    case SHOW_AT_DURATION:
        nonzero = *(const int64_t *)at != 0;
        units_duration_format(&text, *(const int64_t *)at);
        break;
    case SHOW_AT_U64:
        nonzero = *(const uint64_t *)at != 0;
        buf_u64(&text, *(const uint64_t *)at);
        break;
    case SHOW_AT_SIZE:
        nonzero = *(const uint64_t *)at != 0;
        units_size_format(&text, *(const uint64_t *)at);
        break;
    case SHOW_AT_BOOL:
        nonzero = *(const bool *)at;
        buf_c(&text, nonzero ? "true" : "false");
        break;
    case SHOW_AT_LEGACY:
        buf_c(&text, *(const bool *)at ? "legacy" : "utf8");
        break;
    case SHOW_AT_STR:
        is_string = true;
        nonzero = ((const struct str *)at)->n > 0;
        buf_str(&text, *(const struct str *)at);
        break;
    case SHOW_AT_PATH:
        is_string = true;
        nonzero = ((const struct str *)at)->n > 0;
        show_path(&text, NULL, *(const struct str *)at);
        break;
    default:
        show_protocols(s, f, at);
        return;
    }
    if (wanted(s, f, nonzero)) {
        put_member(s, str_c(f->key), buf_view(&text), is_string);
    }
}

/* -- all ---------------------------------------------------------------------------------------------------
 */

typedef void show_fn(struct show *s, const struct show_field *f, const struct yaml_node *n);

/* Kinds without a row are scalars, and those beyond what was resolved. */
static show_fn *const writers[] = {
    [SHOW_STRS] = show_list,
    [SHOW_PATHS] = show_list,
    [SHOW_FLOW] = show_list,
    [SHOW_SECRETS] = show_list,
    [SHOW_MAP] = show_map,
    [SHOW_LISTS] = show_map,
    [SHOW_SECRET_LISTS] = show_map,
    [SHOW_HEADERS] = show_map,
    [SHOW_ANY] = show_map,
    [SHOW_ONE] = show_one,
    [SHOW_VALUE] = show_one,
    [SHOW_MANY] = show_many,
    [SHOW_JOBS] = show_many,
    [SHOW_GROUPS] = show_groups,
    [SHOW_RETENTION] = show_retention,
    [SHOW_EXEMPLARS] = show_exemplars,
    [SHOW_LABELS] = show_labels,
    [SHOW_DEFAULTED] = show_one,
    [SHOW_TRIMMED] = show_list,
};

static void show_field(struct show *s, const struct show_field *f, const struct yaml_node *parent)
{
    const struct yaml_node *n = yaml_get(parent, f->key);
    if (f->kind == SHOW_INLINE) {
        show_section(s, f->section, parent);
    } else if (f->kind == SHOW_AUTHORIZATION) {
        show_authorization(s, f, parent);
    } else if (f->kind == SHOW_ESCAPING) {
        struct show_field text = *f;
        text.otherwise = yaml_is_null(parent) || parent->count == 0 ? "allow-utf-8" : NULL;
        show_scalar(s, &text, n);
    } else if (f->kind == SHOW_LATE_MS) {
        show_scalar(s, f, yaml_get(parent, "out_of_order_time_window"));
    } else if (f->kind < ARRAY_LEN(writers) && writers[f->kind]) {
        writers[f->kind](s, f, n);
    } else if (f->kind >= SHOW_AT_DURATION) {
        show_at(s, f);
    } else {
        show_scalar(s, f, n);
    }
}

static void show_section(struct show *s, const struct show_section *section, const struct yaml_node *n)
{
    for (size_t i = 0; i < section->n; i++) {
        show_field(s, &section->fields[i], n);
    }
}

void prom_config_print(struct buf *b, const struct prom_config *c, const struct prom_config_flags *flags,
                       const struct scrape_job *job)
{
    struct show s = {.b = b, .config = c, .flags = flags, .at = c};
    if (job) {
        s.at = job;
        show_section(&s, &show_job, job->node);
    } else {
        show_section(&s, &show_config, c->root);
    }
}
