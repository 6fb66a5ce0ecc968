/* SPDX-License-Identifier: BSD-2-Clause */
/* How many failed connections show that a canary is dead (JUDGE.md): the number that the data path
 * acts on by itself. Pure. */
#ifndef ZDD_BREAKER_H
#define ZDD_BREAKER_H

#include "judge.h"

enum { BREAKER_MAX = 1000000 };

/* So many further failures of one kind, coming before the judge can look again, would make it roll
 * back; live's failures of that time (live_bad, as it had them in the time before) are allowed for.
 * share: 0..1, the canary's. Without any evidence yet and one signal, at an alpha of 1 %: 2 at 1 %, 3
 * at 5 and 10 %, 5 at 25 %, 9 at 50 %. */
unsigned breaker_limit(const struct judge *, double share, double live_bad);

#endif
