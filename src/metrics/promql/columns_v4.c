/* AVX-512. Empty for processors of another kind. */
#ifdef __AVX512F__
#define COLUMN_NAME(x) x##_v4
#include "metrics/promql/columns_body.h"
#else
typedef int columns_v4_is_empty; /* a translation unit has a declaration */
#endif
