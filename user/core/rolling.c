/* SPDX-License-Identifier: BSD-2-Clause */
#include "rolling.h"

/* To be written. */
bool rolling_look(struct rollout *r, const struct cfg_rollout *cfg, const struct rollout_facts *f)
{
	(void)r;
	(void)cfg;
	(void)f;
	return false;
}

bool rolling_holds_out(const struct rollout *r, unsigned k)
{
	(void)r;
	(void)k;
	return false;
}
