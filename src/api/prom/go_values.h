/* Times, durations, whole numbers and booleans of requests, read as Go's library reads them, odd ones
 * included: what the original takes is taken, what it refuses is refused in its words. Private to this
 * folder. Pure functions, any thread. */
#ifndef CAIRN_API_PROM_GO_VALUES_H
#define CAIRN_API_PROM_GO_VALUES_H

#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"

/* An instant of any year. Arithmetic on it wraps as that of the original does. */
struct go_time {
    int64_t sec; /* since 1970 */
    int64_t ns;  /* 0 ... 999,999,999 */
};

/* Unix seconds with fraction, or RFC 3339. Errors: INVALID. */
MUST_USE enum err go_param_time(struct str s, struct go_time *ret_time, struct err_info *reterr_info);
/* As storage counts: seconds times 1000, plus whole milliseconds. */
ts_ms go_time_storage_ms(struct go_time t);
/* As the engine counts: nanoseconds divided by a million. Equal to the former in the years 1678 to 2262. */
ts_ms go_time_engine_ms(struct go_time t);
bool go_time_before(struct go_time a, struct go_time b);
/* a - b in nanoseconds, stopping at the ends of the range. */
int64_t go_time_sub(struct go_time a, struct go_time b);

/* Seconds with fraction, or "1h30m". May be negative. Errors: INVALID. */
MUST_USE enum err go_param_duration(struct str s, int64_t *ret_ns, struct err_info *reterr_info);
/* strconv.Atoi; `function` is how the error names the caller ("Atoi"). Errors: INVALID. */
MUST_USE enum err go_param_int(const char *function, struct str s, int64_t *ret_value,
                               struct err_info *reterr_info);
/* 1 t T true TRUE True, 0 f F ... Errors: INVALID. */
MUST_USE enum err go_param_bool(struct str s, bool *ret_value, struct err_info *reterr_info);

#endif
