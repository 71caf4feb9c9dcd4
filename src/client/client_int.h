/* What the files of libcairn share among themselves; seen only by this folder and its unit test.
 * Nothing here comes from the rest of the project: libcairn needs libc and pthread only. */
#ifndef CAIRN_CLIENT_INT_H
#define CAIRN_CLIENT_INT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cairn/metrics.h>

enum {
    CAIRN__LINE_BYTES = 64,    /* a cache line: cells of different threads are kept this far apart */
    CAIRN__STRIPES_MAX = 16,   /* copies of a hot value; more costs memory and wins little */
    CAIRN__NAME_MAX = 256,     /* bytes of a family or label name */
    CAIRN__ESCAPED_MAX = 2048, /* an escaped family name with its suffix: at most six bytes for one */
    CAIRN__HELP_MAX = 4096,
    CAIRN__SERIES_CEILING = 10 * 1000 * 1000,
    CAIRN__EXEMPLAR_BYTES = 256, /* an exemplar's labels as they are exposed */
    CAIRN__NUMBER_MAX = 40,      /* any number in text with its NUL */
    CAIRN__OUT_BYTES = 16384,    /* piece handed to the caller's writer */
};

/* ---- text.c: UTF-8, names, numbers ---- */

bool cairn__utf8_valid(const char *text, size_t size);
/* Code points in valid UTF-8. */
size_t cairn__utf8_runes(const char *text, size_t size);
bool cairn__name_legacy(const char *name);
/* Writes name escaped into ret[CAIRN__ESCAPED_MAX], NUL-terminated; returns its length.
 * Name: valid UTF-8 of at most CAIRN__NAME_MAX bytes. */
size_t cairn__name_escape(const char *name, enum cairn_escaping escaping, char *ret);
/* Shortest decimal that reads back as the same double; NaN, +Inf, -Inf. Independent of the locale. */
size_t cairn__number(double value, char ret[CAIRN__NUMBER_MAX]);
/* The same, with ".0" where it would look like an integer (bounds and quantiles in labels). */
size_t cairn__number_label(double value, char ret[CAIRN__NUMBER_MAX]);
size_t cairn__number_u64(uint64_t value, char ret[CAIRN__NUMBER_MAX]);

/* ---- clock.c ---- */

int64_t cairn__monotonic_ns(void); /* coarse: a few milliseconds */
int64_t cairn__wall_ns(void);
/* Tests: both clocks answer this until it is called with 0. */
void cairn__clock_override(int64_t now_ns);

/* ---- stripes: one cell per group of threads, so that two cores don't pull at one cache line ---- */

struct cairn__cell {
    _Alignas(CAIRN__LINE_BYTES) _Atomic uint64_t whole; /* whole units, or a count of observations */
    _Atomic uint64_t part;                              /* a double's bits: the rest, or a sum */
};

extern _Thread_local unsigned cairn__stripe_id __attribute__((tls_model("initial-exec")));
unsigned cairn__stripe_assign(void);
unsigned cairn__stripe_mask(void); /* copies - 1; a power of two less one */

static inline unsigned cairn__stripe(void)
{
    unsigned id = cairn__stripe_id;
    return __builtin_expect(id != 0, 1) ? id : cairn__stripe_assign();
}

static inline double cairn__from_bits(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline uint64_t cairn__to_bits(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* Adds to a double kept as bits. Relaxed: readers only want some recent value. */
static inline void cairn__bits_add(_Atomic uint64_t *cell, double amount)
{
    uint64_t old = atomic_load_explicit(cell, memory_order_relaxed);
    uint64_t next;
    do {
        next = cairn__to_bits(cairn__from_bits(old) + amount);
    } while (
        !atomic_compare_exchange_weak_explicit(cell, &old, next, memory_order_relaxed, memory_order_relaxed));
}

/* ---- series and families ---- */

/* Head of every series. Immutable after it is published, but for hidden. Lives as long as the registry. */
struct cairn__series {
    _Alignas(CAIRN__LINE_BYTES) struct cairn_family *family;
    _Atomic(struct cairn__series *)
        next; /* in order of creation; release store, acquire load in exposition */
    char **values;
    uint64_t hash;
    int64_t created_ms;
    unsigned stripe_mask;
    _Atomic bool hidden;
};

/* Open addressing, at most half full, never shrinks; replaced whole when it grows. Slots are filled with a
 * release store under the family's lock and read with acquire loads without it. */
struct cairn__table {
    struct cairn__table *retired; /* older tables that a reader may still look into; freed with the family */
    size_t mask;
    _Atomic(struct cairn__series *) slots[];
};

struct cairn__out;

/* One row for each metric type, in enum order: types.c. */
struct cairn__type {
    const char *text_name;
    const char *openmetrics_name;
    size_t (*size)(const struct cairn_family *family); /* of a series; NULL: it can't have series */
    void (*init)(struct cairn__series *series);
    void (*done)(struct cairn__series *series); /* NULL: nothing to free */
    void (*expose)(struct cairn__out *out, const struct cairn__series *series);
};

struct cairn_family {
    struct cairn_registry *registry;
    _Atomic(struct cairn_family *) next; /* in order of registration; as series.next */
    const struct cairn__type *row;
    enum cairn_type type;
    char *name;
    char *help;
    char *unit; /* NULL: none */
    char **label_names;
    size_t label_count;
    size_t series_max;
    double *numbers; /* bounds or quantiles */
    size_t number_count;
    char **states;
    size_t state_count;
    int64_t window_ns;
    cairn_collect_fn collect;
    void *collect_context;
    void (*collect_free)(void *context); /* NULL, or frees collect_context with the family */

    pthread_mutex_t lock; /* makes series; never held across I/O or a callback */
    _Atomic(struct cairn__table *) table;
    _Atomic(struct cairn__series *) first;
    struct cairn__series *last;  /* lock */
    _Atomic size_t series_count; /* changed under the lock */
    _Atomic uint64_t refused;
};

struct cairn_registry {
    pthread_mutex_t lock; /* adds families */
    _Atomic(struct cairn_family *) first;
    struct cairn_family *last; /* lock */
    uint64_t seed;             /* of the hash of label values */
    _Atomic bool created;
};

extern const struct cairn__type cairn__types[];

/* family.c. Takes a checked family into being; collect_free may be NULL. */
enum cairn_err cairn__family_make(struct cairn_registry *registry, const struct cairn_family_options *options,
                                  struct cairn_family **ret_family);
void cairn__family_free(struct cairn_family *family);
/* check.c: what is wrong with options, and whether two families would give one sample name twice. */
enum cairn_err cairn__options_check(const struct cairn_family_options *options);
bool cairn__families_clash(const struct cairn_family *a, const struct cairn_family *b);
bool cairn__label_value_valid(const char *value);
bool cairn__ends_with(const char *text, const char *suffix);
/* Length of name without _total (counters) or _info (info); the whole length where it has neither. */
size_t cairn__stem_length(enum cairn_type type, const char *name);
/* The series with these values, made when missing; NULL when refused (and counted). */
struct cairn__series *cairn__series_get(struct cairn_family *family, enum cairn_type type,
                                        const char *const *values);
struct cairn_registry *cairn__registry_or_default(struct cairn_registry *registry);

/* ---- exemplar.c ---- */

struct cairn__exemplar {
    atomic_flag busy; /* held for a copy only; a writer that finds it held gives up */
    bool present;
    size_t size;
    double value;
    int64_t ts_ms;
    char text[CAIRN__EXEMPLAR_BYTES]; /* name="value",.. escaped */
};

/* Keeps an exemplar in slots[index]; the array of count slots is made on first use. */
enum cairn_err cairn__exemplar_keep(_Atomic(struct cairn__exemplar *) *slots, size_t count, size_t index,
                                    double value, const struct cairn_label *labels, size_t label_count);
/* Copies it out; false when there is none (or a writer would not let go). */
bool cairn__exemplar_read(_Atomic(struct cairn__exemplar *) const *slots, size_t index,
                          struct cairn__exemplar *ret_exemplar);

/* ---- out.c: where exposition is written ---- */

struct cairn__out {
    cairn_write_fn write;
    void *context;
    struct cairn_format format;
    bool openmetrics;
    bool created;
    bool failed;      /* sticky: the writer said false */
    bool header_done; /* of the family at hand: written with its first sample */
    const struct cairn_family *family;
    bool quoted;                   /* the family's name must be quoted */
    size_t stem_size;              /* of name: without _total or _info in OpenMetrics */
    char name[CAIRN__ESCAPED_MAX]; /* the family's name as this format writes it */
    size_t size;
    char buffer[CAIRN__OUT_BYTES];
};

void cairn__out_flush(struct cairn__out *out);
void cairn__out_put(struct cairn__out *out, const char *data, size_t size);
void cairn__out_text(struct cairn__out *out, const char *text);
/* Label value or OpenMetrics help: escapes backslash, newline and quote. */
void cairn__out_escaped(struct cairn__out *out, const char *text, bool quotes);
void cairn__out_number(struct cairn__out *out, double value);
void cairn__out_seconds(struct cairn__out *out, int64_t ts_ms);

/* A sample without its line end: name, suffix, labels (values as the family's label names; and one more label
 * when extra_name is not NULL), value. */
void cairn__sample(struct cairn__out *out, const char *suffix, char *const *values, const char *extra_name,
                   const char *extra_value, double value);
void cairn__sample_end(struct cairn__out *out, const struct cairn__exemplar *exemplar);
void cairn__sample_created(struct cairn__out *out, const struct cairn__series *series);

#endif
