/* The stages a job's lines run through, compiled from `pipeline_stages`.
 *
 * pipeline_put may be called from several threads; a lock makes one at a time run the stages, so stages need
 * none of their own and order is kept. Stages that hold lines back (multiline, cri) are asked by
 * pipeline_tick whether their time has come. */
#ifndef CAIRN_AGENT_STAGES_PIPELINE_H
#define CAIRN_AGENT_STAGES_PIPELINE_H

#include "agent/model/entry.h"
#include "agent/model/metrics.h"
#include "codec/yaml.h"

struct pipeline;

struct pipeline_options {
    struct str job;
    struct agent_metrics *metrics; /* may be NULL */
    struct clock *clock;
    struct entry_sink out;
};

/* A null node gives a pipeline that changes nothing. The tree must outlive the pipeline. Errors: INVALID
 * with place, OOM. */
MUST_USE enum err pipeline_new(const struct pipeline_options *o, const struct yaml_node *stages,
                               struct pipeline **ret_pipeline, struct err_info *reterr_info);
/* Lines that are still held back are failed: their input reads them again. Accepts NULL. */
void pipeline_free(struct pipeline *p);
void pipeline_put(struct pipeline *p, struct entry *e);
/* Lets go what waited long enough. */
void pipeline_tick(struct pipeline *p);
/* Lets go everything: the input has ended for good. */
void pipeline_flush(struct pipeline *p);
/* No stage waits from now on (the limit stage would). Any thread. */
void pipeline_stop(struct pipeline *p);

#endif
