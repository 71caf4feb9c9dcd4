/* The systemd journal, from a cursor on or by age. */
#ifndef CAIRN_AGENT_INPUTS_JOURNAL_H
#define CAIRN_AGENT_INPUTS_JOURNAL_H

#include "agent/inputs/input.h"

struct journal_options {
    struct str path; /* folder of journal files; empty: the system's */
    bool json;       /* the line is the whole record */
    int64_t max_age_ms;
    struct str matches; /* FIELD=value, blanks between them */
};

/* Errors: INVALID (matches), UNAVAILABLE, DENIED, IO, OOM. */
MUST_USE enum err input_journal_new(const struct input_common *c, const struct journal_options *o,
                                    struct input **ret_input, struct err_info *reterr_info);

#endif
