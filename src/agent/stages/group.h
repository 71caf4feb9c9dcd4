/* A stage made of stages: match, and those that are shorthand for others. */
#ifndef CAIRN_AGENT_STAGES_GROUP_H
#define CAIRN_AGENT_STAGES_GROUP_H

#include "agent/stages/stage.h"

struct group {
    struct stage exit; /* the end of the inner stages: hands to the owner's next */
    struct stage *owner;
    struct stage_chain chain;
};

/* `owner` is the stage that holds the group; `list` may be null. */
MUST_USE enum err group_init(struct group *g, struct stage *owner, const struct yaml_node *list,
                             struct err_info *reterr_info);
void group_enter(struct group *g, struct entry *e);
void group_tick(struct group *g);
void group_flush(struct group *g);
void group_done(struct group *g);

#endif
