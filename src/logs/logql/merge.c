/* Arithmetic and comparison on two numbers, as Loki merges samples. */
#include <math.h>

#include "logs/logql/ast.h"

static bool compare(enum bin_op op, double a, double b)
{
    switch ((int)op) {
    case BIN_EQ:
        return a == b;
    case BIN_NEQ:
        return a != b;
    case BIN_GT:
        return a > b;
    case BIN_GTE:
        return a >= b;
    case BIN_LT:
        return a < b;
    default:
        return a <= b;
    }
}

bool bin_op_merge(enum bin_op op, double a, double b, bool filter, double *ret_value)
{
    switch ((int)op) {
    case BIN_ADD:
        *ret_value = a + b;
        return true;
    case BIN_SUB:
        *ret_value = a - b;
        return true;
    case BIN_MUL:
        *ret_value = a * b;
        return true;
    case BIN_DIV:
        *ret_value = b == 0 ? (double)NAN : a / b;
        return true;
    case BIN_MOD:
        *ret_value = b == 0 ? (double)NAN : fmod(a, b);
        return true;
    case BIN_POW:
        *ret_value = pow(a, b);
        return true;
    default:
        break;
    }
    bool yes = compare(op, a, b);
    *ret_value = yes ? 1 : 0;
    return yes || !filter;
}
