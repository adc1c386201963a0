#pragma once

/* Whether the accounts suffice for the layout of large objects. */

#include "cli/doctor.h"

struct doctor_accounts {
    unsigned active;  /* Accounts that take writes. */
    unsigned nodes;   /* Distinct nodes of those. */
    unsigned domains; /* Distinct failure domains of those. */
};

/* FAIL: fewer than k+1 accounts, so nothing large can be stored as k+m. WARN: fewer than k+m, or
 * one lost node takes more than one fragment. */
enum doctor_state doctor_accounts_judge(
    const struct doctor_accounts *accounts, unsigned data, unsigned parity, const char **ret_why);

/* How a keyset's end at a node is judged: pushed anew long before it. */
enum doctor_state doctor_accounts_judge_keyset(int64_t valid_until_s, int64_t now_s);
