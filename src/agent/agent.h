/* The agent: inputs, stages and clients put together from a configuration.
 *
 * Threads: "agent-files" reads files and runs the stages, other inputs have their own; one "agent-send" a
 * client; "agent-clock" lets go what stages hold back for too long and writes the positions. HTTP handlers
 * run on the server's. */
#ifndef CAIRN_AGENT_AGENT_H
#define CAIRN_AGENT_AGENT_H

#include "agent/config.h"
#include "logs/model/sink.h"
#include "net/http_server.h"

struct agent;

struct agent_options {
    struct agent_flags flags; /* for reloads; strings live as long as the process */
    struct str built_in;      /* the configuration without a file; copied */
    struct log_sink *sink;    /* where lines go when the configuration names no client; may be NULL */
    /* Called once when an input that ends by itself (standard input) has ended and everything is sent; on a
     * thread of the agent, which must not be stopped from there. May be NULL. */
    void (*input_ended)(void *ctx);
    void *input_ended_ctx;
};

/* Takes the configuration on success. Errors: INVALID (a stage, a glob, the positions file), UNSUPPORTED,
 * IO, OOM. */
MUST_USE enum err agent_start(const struct agent_options *o, struct agent_config *config,
                              struct agent **ret_agent, struct err_info *reterr_info);
/* Reads the configuration anew, builds everything, and only then lets go of the old parts; a wrong one
 * changes nothing. Any thread. */
MUST_USE enum err agent_reload(struct agent *a, struct err_info *reterr_info);
/* Everything agent_start would refuse of a configuration, without starting anything: stages, globs,
 * encodings. Errors: as there. */
MUST_USE enum err agent_check(const struct agent_config *config, struct err_info *reterr_info);
/* Writes the positions, as they were saved last, to a file of their own at `path`; nothing when there are
 * none yet. What they say was read has been taken by where it goes, so a copy made before that is backed up
 * loses no line. Any thread. Errors: IO, NO_SPACE, OOM. */
MUST_USE enum err agent_positions_copy(struct agent *a, const char *path, struct err_info *reterr_info);
/* Ends the inputs, delivers what is held for a few seconds, writes the positions. Accepts NULL. */
void agent_stop(struct agent *a);
/* Adds /ready, /metrics, /targets, /service-discovery, /config, /reload to the server, which must be stopped
 * before the agent. */
MUST_USE enum err agent_routes(struct agent *a, struct http_server *server);
#endif
