/* SPDX-License-Identifier: BSD-2-Clause */
/* Rolling, the arithmetic: how large batches are and what they leave. */
#include <stdio.h>

#include "rolling.h"
#include "rollout_int.h"

unsigned rolling_amount(struct cfg_amount amount, unsigned n, bool up)
{
	unsigned long long of = (unsigned long long)n * amount.value;

	if (!amount.percent)
		return amount.value;
	return (unsigned)((of + (up ? 99 : 0)) / 100);
}

static unsigned at_least_one(struct cfg_amount amount, unsigned n)
{
	unsigned v = rolling_amount(amount, n, ROUND_DOWN);

	return v ? v : 1;
}

static unsigned lesser(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

unsigned rolling_floor(const struct cfg_batch *batch, unsigned n)
{
	return rolling_amount(batch->min_available, n, ROUND_UP);
}

unsigned rolling_batch(const struct cfg_batch *batch, unsigned n)
{
	unsigned least = rolling_floor(batch, n);
	unsigned most = lesser(at_least_one(batch->max_parallel, n),
			       at_least_one(batch->max_unavailable, n));

	return least < n ? lesser(most, n - least) : 0;
}

unsigned rolling_steps(const struct cfg_batch *batch, unsigned n_old, unsigned n_new,
		       struct cfg_step *out)
{
	unsigned move = rolling_amount(batch->max_surge, n_new, ROUND_UP) +
			rolling_amount(batch->max_unavailable, n_new, ROUND_DOWN);
	unsigned most = lesser(move ? move : 1, at_least_one(batch->max_parallel, n_new));
	unsigned fewest = (n_new + ROLLOUT_STEPS - 1) / ROLLOUT_STEPS;
	unsigned size = most > fewest ? most : fewest, n = 0;

	if (!n_new || n_new < rolling_floor(batch, n_old))
		return 0;
	for (unsigned in = 0; in < n_new; n++) {
		in = lesser(in + size, n_new);
		out[n] = (struct cfg_step){
			.share = (uint16_t)((unsigned long long)in * ZDD_SHARE_UNITS / n_new),
			.each.until = UNTIL_TIME,
		};
	}
	return n;
}

/* ---- for people ---- */

void rolling_name(const struct rolling *b, char *out, size_t size)
{
	if (b->n > 1)
		snprintf(out, size, "backends %u to %u", b->first + 1, b->first + b->n);
	else
		snprintf(out, size, "backend %u", b->first + 1);
}

bool rolling_plan_text(const struct cfg_batch *batch, unsigned n, unsigned i, char *out,
		       size_t size)
{
	unsigned each = rolling_batch(batch, n), least = rolling_floor(batch, n);
	struct rolling b;
	char name[48];

	if (!each && !i)
		return snprintf(out, size,
				"min_available is %u of %u backends: none can be taken out", least,
				n) > 0;
	if (!each || i >= (n + each - 1) / each)
		return false;
	b = (struct rolling){.first = i * each, .n = lesser(each, n - i * each)};
	rolling_name(&b, name, sizeof(name));
	snprintf(out, size, "batch %u of %u: %s out, %u of %u stay (at least %u)", i + 1,
		 (n + each - 1) / each, name, n - b.n, n, least);
	return true;
}

bool rolling_steps_text(const struct cfg_batch *batch, unsigned n_old, unsigned n_new, unsigned i,
			char *out, size_t size)
{
	struct cfg_step steps[ROLLOUT_STEPS];
	unsigned n = rolling_steps(batch, n_old, n_new, steps);

	if (!n && !i)
		return snprintf(
			       out, size,
			       "min_available is %u of the %u backends of now, the new pool has %u",
			       rolling_floor(batch, n_old), n_old, n_new) > 0;
	if (i >= n)
		return false;
	snprintf(
		out, size,
		"step %u of %u: %g %% of new flows to the new pool's %u, the rest to the %u of now",
		i + 1, n, steps[i].share / 100.0, n_new, n_old);
	return true;
}
