/* The labels of one line on its way through a pipeline: those of its stream, structured metadata, what
 * parsers found, and the error pair. The rules are Loki's: who wins a name, what is renamed, what a group
 * keeps.
 *
 * One builder serves one pipeline on one thread. Strings borrow from the line, the stream or the line's arena
 * and live until the arena is reset. */
#ifndef CAIRN_LOGS_LOGQL_LABELS_BUILDER_H
#define CAIRN_LOGS_LOGQL_LABELS_BUILDER_H

#include "base/arena.h"
#include "labels/labels.h"

enum label_category {
    LABEL_STREAM = 0,
    LABEL_METADATA,
    LABEL_PARSED,
    LABEL_CATEGORY_COUNT,
    LABEL_NONE = LABEL_CATEGORY_COUNT
};

#define ERROR_LABEL STR("__error__")
#define ERROR_DETAILS_LABEL STR("__error_details__")
#define PRESERVE_ERROR_LABEL STR("__preserve_error__")
#define EXTRACTED_SUFFIX "_extracted"

struct builder;

/* A filter on one label that a parser asks while it extracts: false drops the line at once. */
struct hint_filter {
    struct str name;
    bool (*passes)(const void *filter, struct builder *b);
    const void *filter;
};

/* What a metric query needs to know, so that parsers may stop early. */
struct parser_hints {
    bool no_labels, preserve_error;
    const struct str *required; /* empty: all */
    size_t required_count;
    const struct hint_filter *filters;
    size_t filter_count;
};

struct label_row {
    struct label *items;
    size_t n, cap;
};

struct builder {
    struct labels base;
    struct label_row add[LABEL_CATEGORY_COUNT];
    struct str *deleted;
    size_t deleted_count, deleted_cap;
    struct str err, err_details;
    const struct parser_hints *hints;
    struct str *extracted; /* names set as parsed by this line; required labels among them end the parse */
    size_t extracted_count, extracted_cap;
    struct arena *line;    /* reset for each line by the owner */
    struct arena *scratch; /* the builder's own tables */
    bool out_of_memory;    /* sticky; the owner looks after each line */
};

void builder_init(struct builder *b, const struct parser_hints *hints, struct arena *line,
                  struct arena *scratch);
/* Begins a line of a stream. */
void builder_reset(struct builder *b, struct labels base, struct labels metadata);

/* The value, and whether there is one (it may be empty). */
bool builder_get(const struct builder *b, struct str name, struct str *ret_value);
/* The value of a label for a string filter: __error__ included, empty when absent. */
struct str builder_value(const struct builder *b, struct str name);
bool builder_base_has(const struct builder *b, struct str name);
bool builder_has(const struct builder *b, enum label_category c, struct str name);
/* name and value live in the line's arena, the line or longer. */
void builder_set(struct builder *b, enum label_category c, struct str name, struct str value);
void builder_delete(struct builder *b, struct str name);
void builder_error(struct builder *b, struct str err, struct str details);
/* The same from a parser: keeps the error through a metric query that asked for it. */
void builder_parse_error(struct builder *b, struct str err, struct str details);

/* -- hints ----------------------------------------------------------------------------------------------- */

bool builder_extracted(const struct builder *b, struct str name);
bool builder_should_extract(const struct builder *b, struct str name);
bool builder_should_extract_prefix(const struct builder *b, struct str prefix);
bool builder_all_extracted(const struct builder *b);
bool builder_no_labels(const struct builder *b);
bool builder_should_continue(struct builder *b, struct str name);
/* name, or name_extracted when a stream label or metadata has it. p == NULL: out of memory. */
struct str builder_free_name(struct builder *b, struct str name);

/* -- results --------------------------------------------------------------------------------------------- */

/* Whether the labels are those of the stream. */
bool builder_unchanged(const struct builder *b);
/* All labels, unsorted, errors last. The array lives in the line's arena. */
struct labels builder_all(struct builder *b);
/* Sorted: all; those of one category (errors count as parsed). */
struct labels builder_sorted(struct builder *b);
struct labels builder_category(struct builder *b, enum label_category c);

struct label_groups {
    const struct str *names; /* sorted */
    size_t n;
    bool without, none; /* none: one series without labels */
};

/* The labels of the sample, grouped; a line in error keeps all of its. Sorted. */
struct labels builder_grouped(struct builder *b, const struct label_groups *g);

#endif
