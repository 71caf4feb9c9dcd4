/* The configuration as Prometheus writes it: every section a table of its keys, in order, with what stands
 * where the file says nothing. Private to this folder. */
#ifndef CAIRN_METRICS_SCRAPE_CONFIG_SHOW_H
#define CAIRN_METRICS_SCRAPE_CONFIG_SHOW_H

#include "metrics/scrape/config_int.h"

enum show_kind {
    SHOW_STR,
    SHOW_LOWER,    /* in small letters */
    SHOW_GIVEN,    /* whatever the file says, even nothing */
    SHOW_ESCAPING, /* has a value where there is no section at all */
    SHOW_SECRET,   /* <secret> */
    SHOW_BOOL,
    SHOW_INT,
    SHOW_FLOAT,
    SHOW_DURATION,
    SHOW_SIZE,
    SHOW_URL,     /* its password as xxxxx */
    SHOW_PATH,    /* relative to the file */
    SHOW_NULL,    /* what Go shows of a member that has no key: null */
    SHOW_LATE_MS, /* a duration, in milliseconds */
    SHOW_STRS,    /* a list */
    SHOW_PATHS,
    SHOW_TRIMMED, /* a list, without blanks around its items */
    SHOW_FLOW,    /* a list in one line */
    SHOW_SECRETS, /* a list */
    SHOW_MAP,     /* names and strings */
    SHOW_LISTS,   /* names and lists */
    SHOW_SECRET_LISTS,
    SHOW_HEADERS,       /* names and sections */
    SHOW_ANY,           /* as it stands there */
    SHOW_ONE,           /* a section; absent unless the file has it */
    SHOW_VALUE,         /* a section; absent when all in it is zero */
    SHOW_DEFAULTED,     /* the same; empty instead of absent, it has no defaults */
    SHOW_MANY,          /* a list of sections */
    SHOW_INLINE,        /* a section whose keys stand among the others */
    SHOW_GROUPS,        /* static_configs */
    SHOW_AUTHORIZATION, /* or what bearer_token says */
    SHOW_LABELS,        /* external_labels */
    SHOW_JOBS,          /* those of the main file */
    SHOW_RETENTION,     /* or what the command line says */
    SHOW_EXEMPLARS,     /* or the default, where exemplars are kept */
    /* members of struct show's `at`, as resolved while reading */
    SHOW_AT_DURATION,
    SHOW_AT_U64,
    SHOW_AT_SIZE,
    SHOW_AT_BOOL,
    SHOW_AT_STR,
    SHOW_AT_LEGACY,
    SHOW_AT_PATH,
    SHOW_AT_PROTOCOLS
};

struct show_section;

struct show_field {
    const char *key;
    enum show_kind kind;
    bool always;           /* empty and zero values are shown too */
    const char *otherwise; /* where the file has none */
    const struct show_section *section;
    size_t offset; /* SHOW_AT_* */
};

struct show_section {
    const struct show_field *fields;
    size_t n;
};

/* The value of `n`, or what stands there otherwise. *ret_plain: to be written as it is, whatever it would be
 * read as. False: it is zero. */
bool show_value(const struct show_field *f, const struct yaml_node *n, struct buf *b, bool *ret_plain);
/* A name relative to the file that has it, without "." and "..", as Go joins them. */
void show_path(struct buf *b, const struct yaml_node *n, struct str path);

/* Rows of the tables: empty values left out or shown always; with what stands there otherwise; with a section
 * of their own; out of a resolved member. */
#define SHOWN(key, kind)                       \
    {                                          \
        key, SHOW_##kind, false, NULL, NULL, 0 \
    }
#define SHOWN_ALWAYS(key, kind)               \
    {                                         \
        key, SHOW_##kind, true, NULL, NULL, 0 \
    }
#define SHOWN_OR(key, kind, otherwise)              \
    {                                               \
        key, SHOW_##kind, false, otherwise, NULL, 0 \
    }
#define SHOWN_ALWAYS_OR(key, kind, otherwise)      \
    {                                              \
        key, SHOW_##kind, true, otherwise, NULL, 0 \
    }
#define SHOWN_PART(key, kind, section)               \
    {                                                \
        key, SHOW_##kind, false, NULL, &(section), 0 \
    }
#define SHOWN_ALWAYS_PART(key, kind, section)       \
    {                                               \
        key, SHOW_##kind, true, NULL, &(section), 0 \
    }
#define SHOWN_AT(key, kind, offset)                 \
    {                                               \
        key, SHOW_##kind, false, NULL, NULL, offset \
    }
#define SHOWN_ALWAYS_AT(key, kind, offset)         \
    {                                              \
        key, SHOW_##kind, true, NULL, NULL, offset \
    }

extern const struct show_section show_config, show_job, show_http, show_tls, show_basic_auth,
    show_authorization_parts;
/* The *_sd_configs, in the order of their names. */
extern const struct show_section show_discovery;

#endif
