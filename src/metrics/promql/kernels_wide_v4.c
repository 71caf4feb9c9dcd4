/* Eight lanes: AVX-512. Empty for processors of another kind. */
#ifdef __AVX512F__
#define WIDE_LANES 8
#define WIDE_NAME(x) kernel_##x##_v4
#include "metrics/promql/kernels_wide_body.h"
#else
typedef int kernels_wide_v4_is_empty; /* a translation unit has a declaration */
#endif
