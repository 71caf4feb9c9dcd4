/* Time zones from the system's zone files (RFC 8536). Immutable once loaded; any thread. */
#ifndef CAIRN_GOLANG_TZ_H
#define CAIRN_GOLANG_TZ_H

#include "base/err.h"
#include "base/str.h"

struct tz;

/* "Europe/Berlin", "UTC", "Local" (see tz_local). Errors: INVALID (no such zone; the name is checked, so it
 * cannot leave the folder of zones), OOM. */
MUST_USE enum err tz_load(struct str name, struct tz **ret_tz, struct err_info *reterr_info);
/* "Local" for the life of the program: what TZ names, as Go reads it, else the machine's. NULL (UTC) when
 * memory was short. */
const struct tz *tz_local(void);
void tz_free(struct tz *z); /* accepts NULL */
/* Seconds east of UTC at an instant (Unix seconds). */
int32_t tz_offset(const struct tz *z, int64_t unix_s);
/* The abbreviation at an instant; it lives as long as the zone. */
const char *tz_name(const struct tz *z, int64_t unix_s);
/* The offset of a wall clock time (seconds since 1970 as if it were UTC): in a gap or overlap Go's choice,
 * the offset in force before the change. */
int32_t tz_offset_of_wall(const struct tz *z, int64_t wall_s);
/* The offset of an abbreviation ("CEST") this zone knows. False: it does not. */
bool tz_abbreviation(const struct tz *z, struct str abbreviation, int32_t *ret_offset);

#endif
