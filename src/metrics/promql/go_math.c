/* Elementary functions. */
#include "metrics/promql/go_math.h"

double go_pow(double x, double y)
{
    return pow(x, y);
}
