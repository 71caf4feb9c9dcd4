/* Ceilings of rule files. */
#ifndef CAIRN_RULES_LIMITS_H
#define CAIRN_RULES_LIMITS_H

enum {
    RULE_FILES_MAX = 1000,    /* a pattern that matches more is a mistake */
    RULE_GROUPS_MAX = 100000, /* each costs a timer */
};

#endif
