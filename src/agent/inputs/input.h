/* Inputs other than files, behind one face. Each has threads of its own and puts entries into a sink, which
 * may block. */
#ifndef CAIRN_AGENT_INPUTS_INPUT_H
#define CAIRN_AGENT_INPUTS_INPUT_H

#include "agent/inputs/positions.h"
#include "agent/model/entry.h"
#include "agent/model/metrics.h"
#include "base/err.h"
#include "labels/relabel.h"

struct input;

struct input_ops {
    const char *type; /* for /targets */
    /* Asks the input to end and waits. The sink no longer blocks. */
    void (*stop)(struct input *in);
    void (*free)(struct input *in);
    void (*report)(struct input *in, struct positions *p); /* may be NULL */
    bool (*ready)(struct input *in);
    void (*wait_end)(struct input *in); /* of an input that ends by itself; may be NULL */
};

struct input {
    const struct input_ops *ops;
};

/* What inputs with labels of their own share: labels of the job, rules applied to each entry. */
struct input_common {
    struct str job;
    struct labels labels;
    const struct relabel_rule *rules;
    size_t rule_count;
    const struct positions *positions;
    struct agent_metrics *metrics;
    struct entry_sink sink;
};

/* The job's labels under `extra` (which wins), relabelled, internal ones removed. False: dropped, or no label
 * is left. Lives in the arena. Errors: OOM as false with arena_err set. */
bool input_labels(const struct input_common *c, struct arena *a, struct label *extra, size_t n,
                  struct labels *ret_labels);

MUST_USE enum err input_stdin_new(const struct input_common *c, struct input **ret_input,
                                  struct err_info *reterr_info);

#endif
