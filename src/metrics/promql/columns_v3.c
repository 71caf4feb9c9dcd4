/* AVX2. Empty for processors of another kind. */
#ifdef __AVX2__
#define COLUMN_NAME(x) x##_v3
#include "metrics/promql/columns_body.h"
#else
typedef int columns_v3_is_empty; /* a translation unit has a declaration */
#endif
