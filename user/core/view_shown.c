/* SPDX-License-Identifier: BSD-2-Clause */
/* What connections showed about a pool or a backend (include/zdd/signal.h), for people. */
#include "view.h"
#include "zdd/signal.h"

static json_t *number(uint64_t n)
{
	return json_integer((json_int_t)n);
}

/* The end of the bucket in which the part (0..1) of n is reached. */
static uint64_t quantile_us(const uint32_t *row, uint64_t n, double part)
{
	uint64_t below = 0;

	for (unsigned i = 0; i < ZDD_LATENCY_BUCKETS; i++) {
		below += row[i];
		if ((double)below >= part * (double)n)
			return zdd_latency_end_us(i);
	}
	return 0;
}

/* null: none was measured. */
static json_t *times(const uint32_t *row)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < ZDD_LATENCY_BUCKETS; i++)
		n += row[i];
	if (!n)
		return json_null();
	return json_pack("{s:o, s:o, s:o, s:o}", "n", number(n), "p50",
			 number(quantile_us(row, n, .5)), "p95", number(quantile_us(row, n, .95)),
			 "p99", number(quantile_us(row, n, .99)));
}

json_t *view_shown(const struct zdd_signals *row)
{
	json_t *o = json_object();
	uint64_t bad = 0;

#define S(symbol, name, breaks, sentence)                                                          \
	bad += row->kind[ZDD_SIG_##symbol].bad;                                                    \
	json_object_set_new(o, #name,                                                              \
			    json_pack("{s:o, s:o}", "n", number(row->kind[ZDD_SIG_##symbol].n),    \
				      "bad", number(row->kind[ZDD_SIG_##symbol].bad)));
	ZDD_SIGNALS(S)
#undef S
	json_object_set_new(o, "bad", number(bad));
	json_object_set_new(o, "retransmits", number(row->retransmits));
	json_object_set_new(o, "connect_us", times(row->connect));
	json_object_set_new(o, "first_byte_us", times(row->first_byte));
	return o;
}
