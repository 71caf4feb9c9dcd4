/* Runs lines through stages and shows what comes out, one line an entry: {labels} line, with metadata as
 * [name=value] and, when asked, the time as @nanoseconds. */
#ifndef CAIRN_TESTS_AGENT_STAGE_RUN_H
#define CAIRN_TESTS_AGENT_STAGE_RUN_H

#include "agent/stages/pipeline.h"
#include "base/clock.h"

struct stage_run {
    struct arena arena;
    struct clock clock;
    struct agent_metrics metrics;
    struct pipeline *pipeline;
    struct buf out;
    bool with_time;
    int settled, failed; /* receipts of lines */
};

/* `labels` is name=value pairs, comma-separated. False (and the message in out) when the stages are refused.
 */
bool stage_run_init(struct stage_run *r, const char *yaml);
void stage_run_line(struct stage_run *r, const char *labels, const char *line);
void stage_run_done(struct stage_run *r);
/* One line through the stages; the result is valid until the next call. */
struct str stage_run_once(const char *yaml, const char *labels, const char *line);
struct str stage_run_time(const char *yaml, const char *line);
/* The message with which the stages are refused, or "accepted". */
struct str stage_refusal(const char *yaml);

#define STAGE_RUN_NOW ((ts_ns)1600000000 * NS_PER_S)

#endif
