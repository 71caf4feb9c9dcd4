/* Two lanes: SSE2, NEON. */
#define WIDE_LANES 2
#define WIDE_NAME(x) kernel_##x
#include "metrics/promql/kernels_wide_body.h"
