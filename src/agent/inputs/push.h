/* Loki's push API as an input: other agents send here. */
#ifndef CAIRN_AGENT_INPUTS_PUSH_H
#define CAIRN_AGENT_INPUTS_PUSH_H

#include "agent/inputs/input.h"

struct push_options {
    struct str listen_address; /* host:port */
    bool use_incoming_timestamp;
    size_t body_bytes_max;
};

/* Errors: as http_server_start, OOM. */
MUST_USE enum err input_push_new(const struct input_common *c, const struct push_options *o,
                                 struct input **ret_input, struct err_info *reterr_info);
unsigned input_push_port(const struct input *in);

#endif
