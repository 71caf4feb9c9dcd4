/* Addresses in text: the ip() filters. Any thread. */
#ifndef CAIRN_LOGS_LOGQL_IP_H
#define CAIRN_LOGS_LOGQL_IP_H

#include "base/err.h"
#include "base/str.h"

struct ip_addr {
    unsigned char bytes[16];
    unsigned char size; /* 4 or 16 */
};

/* One address, a range, or a prefix, as a first and a last address. */
struct ip_range {
    struct ip_addr first, last;
};

/* Errors: INVALID ("ip: invalid pattern: ..."). */
MUST_USE enum err ip_parse(struct str text, struct ip_range *ret_range, struct err_info *reterr_info);
/* True when an address of the range stands anywhere in the text. */
bool ip_found(const struct ip_range *r, struct str text);

#endif
