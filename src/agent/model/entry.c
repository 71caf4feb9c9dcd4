/* Entries: small sorted arrays that grow in the entry's arena. */
#include "agent/model/entry.h"

#include "codec/num.h"
#include "codec/units.h"

enum {
    LABELS_SPARE = 8,
    VALUES_START = 16
};

static enum err room(struct entry *e, void **items, size_t *cap, size_t need, size_t item_size, size_t max)
{
    if (need > max) {
        e->err = ERR_LIMIT;
    } else if (need > *cap && arena_reserve(e->arena, items, cap, need, item_size)) {
        e->err = arena_err(e->arena);
    }
    return e->err;
}

void entry_init(struct entry *e, struct arena *a, struct labels labels, ts_ns ts, struct str line,
                struct receipt *receipt)
{
    *e = (struct entry){.ts = ts, .line = line, .arena = a, .receipt = receipt};
    e->labels = arena_array(a, labels.n + LABELS_SPARE, sizeof(*e->labels));
    if (!e->labels) {
        e->err = arena_err(a);
        return;
    }
    e->label_cap = labels.n + LABELS_SPARE;
    e->label_count = labels.n;
    if (labels.n) {
        memcpy(e->labels, labels.l, labels.n * sizeof(*e->labels));
    }
}

struct labels entry_labels(const struct entry *e)
{
    return (struct labels){e->labels, e->label_count};
}

/* Index of the first label whose name is not below; *ret_hit tells whether it is equal. */
static size_t place(const struct label *l, size_t n, struct str name, bool *ret_hit)
{
    for (size_t i = 0; i < n; i++) {
        int c = str_cmp(l[i].name, name);
        if (c >= 0) {
            *ret_hit = c == 0;
            return i;
        }
    }
    *ret_hit = false;
    return n;
}

struct str entry_label(const struct entry *e, struct str name)
{
    bool hit;
    size_t at = place(e->labels, e->label_count, name, &hit);
    if (!hit) {
        return (struct str){0};
    }
    struct str value = e->labels[at].value;
    return value.p ? value : STR("");
}

static void insert(struct entry *e, struct label **items, size_t *n, size_t *cap, struct label l)
{
    bool hit;
    size_t at = place(*items, *n, l.name, &hit);
    if (hit) {
        (*items)[at].value = l.value;
        return;
    }
    void *grown = *items;
    if (room(e, &grown, cap, *n + 1, sizeof(**items), AGENT_LABELS_MAX)) {
        return;
    }
    *items = grown;
    memmove(*items + at + 1, *items + at, (*n - at) * sizeof(**items));
    (*items)[at] = l;
    (*n)++;
}

void entry_label_set(struct entry *e, struct str name, struct str value)
{
    insert(e, &e->labels, &e->label_count, &e->label_cap, (struct label){name, value});
}

void entry_metadata_set(struct entry *e, struct str name, struct str value)
{
    insert(e, &e->metadata, &e->metadata_count, &e->metadata_cap, (struct label){name, value});
}

void entry_label_remove(struct entry *e, struct str name)
{
    bool hit;
    size_t at = place(e->labels, e->label_count, name, &hit);
    if (hit) {
        e->label_count--;
        memmove(e->labels + at, e->labels + at + 1, (e->label_count - at) * sizeof(*e->labels));
    }
}

const struct value *entry_value(const struct entry *e, struct str name)
{
    for (size_t i = 0; i < e->extracted_count; i++) {
        if (str_eq(e->extracted[i].name, name)) {
            return &e->extracted[i].value;
        }
    }
    return NULL;
}

void entry_value_set(struct entry *e, struct str name, struct value v)
{
    for (size_t i = 0; i < e->extracted_count; i++) {
        if (str_eq(e->extracted[i].name, name)) {
            e->extracted[i].value = v;
            return;
        }
    }
    void *grown = e->extracted;
    size_t need = e->extracted_cap ? e->extracted_count + 1 : VALUES_START;
    if (room(e, &grown, &e->extracted_cap, need, sizeof(*e->extracted), AGENT_EXTRACTED_MAX)) {
        return;
    }
    e->extracted = grown;
    e->extracted[e->extracted_count++] = (struct extracted){name, v};
}

void entry_value_remove(struct entry *e, struct str name)
{
    for (size_t i = 0; i < e->extracted_count; i++) {
        if (str_eq(e->extracted[i].name, name)) {
            e->extracted_count--;
            memmove(e->extracted + i, e->extracted + i + 1, (e->extracted_count - i) * sizeof(*e->extracted));
            return;
        }
    }
}

void entry_seed(struct entry *e)
{
    for (size_t i = 0; i < e->label_count; i++) {
        entry_value_set(e, e->labels[i].name, value_str(e->labels[i].value));
    }
}

static enum err keep_labels(struct arena *a, const struct label *from, size_t n, struct label **ret,
                            size_t *ret_cap)
{
    struct label *to = arena_array(a, n + LABELS_SPARE, sizeof(*to));
    for (size_t i = 0; to && i < n; i++) {
        to[i] = (struct label){arena_str(a, from[i].name), arena_str(a, from[i].value)};
    }
    *ret = to;
    *ret_cap = n + LABELS_SPARE;
    return arena_err(a);
}

enum err entry_keep(const struct entry *e, struct arena *a, struct entry *ret_entry)
{
    struct entry k = *e;
    k.arena = a;
    k.line = arena_str(a, e->line);
    enum err err = keep_labels(a, e->labels, e->label_count, &k.labels, &k.label_cap);
    err = err ? err : keep_labels(a, e->metadata, e->metadata_count, &k.metadata, &k.metadata_cap);
    k.extracted = arena_array(a, e->extracted_count + 1, sizeof(*k.extracted));
    k.extracted_cap = e->extracted_count + 1;
    for (size_t i = 0; k.extracted && i < e->extracted_count; i++) {
        k.extracted[i] = e->extracted[i];
        k.extracted[i].name = arena_str(a, e->extracted[i].name);
        k.extracted[i].value.s = arena_str(a, e->extracted[i].value.s);
    }
    err = err ? err : arena_err(a);
    if (!err) {
        *ret_entry = k;
    }
    return err;
}

struct value value_str(struct str s)
{
    return (struct value){.kind = VALUE_STR, .s = s};
}

struct value value_num(double v)
{
    return (struct value){.kind = VALUE_NUM, .num = v};
}

struct value value_bool(bool v)
{
    return (struct value){.kind = VALUE_BOOL, .boolean = v};
}

bool value_text(const struct value *v, struct arena *a, struct str *ret_text)
{
    char text[NUM_F64_BYTES_MAX];
    switch (v->kind) {
    case VALUE_STR:
        *ret_text = v->s;
        return true;
    case VALUE_BOOL:
        *ret_text = v->boolean ? STR("true") : STR("false");
        return true;
    case VALUE_NUM:
        if (v->s.n) {
            *ret_text = v->s;
            return true;
        }
        *ret_text = arena_str(a, str_of(text, num_f64_format(text, v->num, 'f')));
        return ret_text->p != NULL;
    case VALUE_NULL:
        break;
    }
    return false;
}

bool value_number(const struct value *v, double *ret_number)
{
    int64_t ns;
    switch (v->kind) {
    case VALUE_NUM:
        *ret_number = v->num;
        return true;
    case VALUE_BOOL:
        *ret_number = v->boolean ? 1 : 0;
        return true;
    case VALUE_STR:
        if (num_f64_parse(v->s, ret_number) == ERR_OK) {
            return true;
        }
        if (units_go_duration_parse(v->s, &ns) == ERR_OK) {
            *ret_number = (double)ns / (double)NS_PER_S;
            return true;
        }
        return false;
    case VALUE_NULL:
        break;
    }
    return false;
}
