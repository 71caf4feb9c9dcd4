/* Four lanes: AVX2. Empty for processors of another kind. */
#ifdef __AVX2__
#define WIDE_LANES 4
#define WIDE_NAME(x) kernel_##x##_v3
#include "metrics/promql/kernels_wide_body.h"
#else
typedef int kernels_wide_v3_is_empty; /* a translation unit has a declaration */
#endif
