/* Syslog over TCP or UDP: RFC 5424 and RFC 3164 messages. */
#ifndef CAIRN_AGENT_INPUTS_SYSLOG_H
#define CAIRN_AGENT_INPUTS_SYSLOG_H

#include "agent/inputs/input.h"

struct syslog_options {
    struct str listen_address; /* host:port */
    bool udp, rfc3164;
    int64_t idle_timeout_ms;
    bool label_structured_data, use_incoming_timestamp, use_rfc5424_message;
    size_t message_bytes_max;
};

/* Errors: INVALID (address), EXISTS (port in use), DENIED, UNAVAILABLE, OOM. */
MUST_USE enum err input_syslog_new(const struct input_common *c, const struct syslog_options *o,
                                   struct input **ret_input, struct err_info *reterr_info);
unsigned input_syslog_port(const struct input *in);

/* -- messages -- strings borrow from the text or live in the arena. */
struct syslog_param {
    struct str id, name, value;
};

struct syslog_message {
    int facility, severity;
    bool has_time;
    ts_ns ts;
    struct str hostname, app_name, proc_id, msg_id; /* empty: "-" or absent */
    struct syslog_param *params;
    size_t param_count;
    struct str message;
};

/* Errors: INVALID, OOM. `now` fills the year that RFC 3164 lacks. */
MUST_USE enum err syslog_parse(struct arena *a, struct str text, bool rfc3164, ts_ns now,
                               struct syslog_message *ret_message);
const char *syslog_severity_name(int severity);
const char *syslog_facility_name(int facility);

#endif
