/* What a stage is. To add one: a file with its `new` function and a row in table.c. */
#ifndef CAIRN_AGENT_STAGES_STAGE_H
#define CAIRN_AGENT_STAGES_STAGE_H

#include <stdatomic.h>

#include "agent/model/entry.h"
#include "agent/model/metrics.h"
#include "base/buf.h"
#include "codec/yaml.h"

struct stage;

/* What the stages of one pipeline share. Lives as long as they do. */
struct stage_env {
    struct arena *arena; /* for compiled things; strings of the tree outlive it */
    struct agent_metrics *metrics;
    struct clock *clock;
    struct str job;
    const atomic_bool *stop; /* set when nobody may wait any more */
    unsigned depth;          /* of nested match stages */
};

struct stage_ops {
    /* Hands on what it lets through by stage_pass, any number of times. */
    void (*process)(struct stage *s, struct entry *e);
    void (*tick)(struct stage *s);  /* may be NULL */
    void (*flush)(struct stage *s); /* may be NULL: lets go what is held back */
    void (*free)(struct stage *s);  /* may be NULL when there is nothing but the arena */
};

struct stage {
    const struct stage_ops *ops;
    struct stage *next; /* never NULL: the last one hands to the sink */
    const struct stage_env *env;
};

typedef enum err stage_new_fn(const struct stage_env *env, const struct yaml_node *n,
                              struct stage **ret_stage, struct err_info *reterr_info);

struct stage_kind {
    const char *name;
    stage_new_fn *make;
};

static inline void stage_pass(struct stage *s, struct entry *e)
{
    s->next->ops->process(s->next, e);
}

/* A zeroed stage of `size` bytes in the arena of the pipeline; NULL when out of memory. */
MUST_USE void *stage_alloc(const struct stage_env *env, size_t size, const struct stage_ops *ops);
const struct stage_kind *stage_kinds(size_t *ret_n);

/* A list of stages in a row; `first` is where entries enter. The last one's next is `end`. */
struct stage_chain {
    struct stage **items;
    size_t n;
    struct stage *first;
};
MUST_USE enum err stage_chain_new(const struct stage_env *env, const struct yaml_node *list,
                                  struct stage *end, struct stage_chain *ret_chain,
                                  struct err_info *reterr_info);
void stage_chain_done(struct stage_chain *c);
void stage_chain_tick(struct stage_chain *c);
void stage_chain_flush(struct stage_chain *c);

/* -- helpers for options -- names match without regard to case; a key that no stage of the kind has is named
 * in the log, once, and ignored, as the original ignores it. */
const struct yaml_node *stage_option(const struct yaml_node *n, const char *key);
void stage_unknown_options(const struct yaml_node *n, const char *stage, const char *const *keys);
MUST_USE enum err stage_str(const struct yaml_node *n, const char *key, struct str *value,
                            struct err_info *reterr_info);
/* A regular expression under `key`; absent leaves *value NULL. */
struct regex;
MUST_USE enum err stage_regex(const struct yaml_node *n, const char *key, struct regex **value,
                              struct err_info *reterr_info);
/* A map of names to texts (null gives an empty text); keys in file order. */
struct stage_pair {
    struct str key, value;
    const struct yaml_node *node;
};
MUST_USE enum err stage_pairs(const struct stage_env *env, const struct yaml_node *n, const char *stage,
                              const struct stage_pair **ret_pairs, size_t *ret_n,
                              struct err_info *reterr_info);
/* The text a parsing stage looks at: the line, or the extracted value `source`. False: absent or no text. */
bool stage_source(const struct entry *e, struct str source, struct str *ret_text);

/* The `new` functions, in the order of the table. */
stage_new_fn stage_docker_new, stage_cri_new, stage_regex_new, stage_json_new, stage_logfmt_new,
    stage_replace_new, stage_multiline_new, stage_pack_new, stage_template_new, stage_timestamp_new,
    stage_output_new, stage_labels_new, stage_labeldrop_new, stage_labelallow_new, stage_static_labels_new,
    stage_structured_metadata_new, stage_tenant_new, stage_match_new, stage_drop_new, stage_limit_new,
    stage_metrics_new, stage_sampling_new, stage_decolorize_new, stage_eventlogmessage_new;

#endif
