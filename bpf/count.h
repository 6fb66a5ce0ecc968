/* SPDX-License-Identifier: GPL-2.0 */
/* Counters: rows per CPU, plain adds. */
#ifndef ZDD_COUNT_H
#define ZDD_COUNT_H

#include "budget.h"
#include "job.h"

ZDD_INLINE void count_verdict(enum zdd_verdict verdict)
{
	struct zdd_count_row *row = AT(counts, CPU());

	if (row && verdict < ZDD_VERDICT_COUNT)
		row->verdict[verdict]++;
}

ZDD_INLINE void count_note(enum zdd_note note)
{
	struct zdd_count_row *row = AT(counts, CPU());

	if (row)
		row->note[note]++;
}

#define COUNT_SIGNAL(backend, field)                                                               \
	do {                                                                                       \
		struct zdd_signal_row *row_ = AT(signals, CPU() * geometry.backends + (backend));  \
                                                                                                   \
		if (row_)                                                                          \
			row_->field++;                                                             \
	} while (0)

/* Generation stamps: a pool's row shows the newest generation that sent it a new flow. */
ZDD_INLINE void count_new(const struct zdd_job *j, __u16 pool, __u16 backend)
{
	struct zdd_pool_row *row = AT(pool_rows, CPU() * geometry.pools + pool);
	struct zdd_backend_row *b = AT(backend_rows, CPU() * geometry.backends + backend);
	__u64 generation = ZDD_WORD_GENERATION(j->word);

	if (!row || !b)
		return;
	if (row->generation != generation) {
		row->generation = generation;
		row->first_ns = NOW_NS();
		row->flows_of_generation = 0;
	}
	row->last_jiffies = NOW();
	row->flows_of_generation++;
	row->new_flows++;
	b->new_flows++;
	if (!(row->new_flows % BUDGET_STEP))
		budget_add(pool, BUDGET_STEP);
}

/* A flow that was chosen earlier, by whichever plan: no stamp. */
ZDD_INLINE void count_adopted(__u16 pool, __u16 backend)
{
	struct zdd_pool_row *row = AT(pool_rows, CPU() * geometry.pools + pool);
	struct zdd_backend_row *b = AT(backend_rows, CPU() * geometry.backends + backend);

	if (!row || !b)
		return;
	row->new_flows++;
	b->new_flows++;
}

ZDD_INLINE void count_forward(const struct zdd_packet *p, __u16 pool, __u16 backend)
{
	struct zdd_pool_row *row = AT(pool_rows, CPU() * geometry.pools + pool);
	struct zdd_backend_row *b = AT(backend_rows, CPU() * geometry.backends + backend);

	if (!row || !b)
		return;
	row->packets++;
	row->bytes += p->payload;
	b->packets++;
	b->bytes += p->payload;
}

/* A flow whose end only the client tells. */
ZDD_INLINE void count_closed(__u16 backend)
{
	struct zdd_backend_row *b = AT(backend_rows, CPU() * geometry.backends + backend);

	if (b)
		b->closed++;
}

ZDD_INLINE void count_reply(const struct zdd_packet *p, __u16 backend, int closed)
{
	struct zdd_backend_row *b = AT(backend_rows, CPU() * geometry.backends + backend);

	if (!b)
		return;
	b->replies++;
	b->reply_bytes += p->payload;
	b->closed += closed;
}

/* It comes by once more. */
ZDD_INLINE void uncount_reply(const struct zdd_packet *p, __u16 backend)
{
	struct zdd_backend_row *b = AT(backend_rows, CPU() * geometry.backends + backend);

	if (!b || backend == ZDD_NONE)
		return;
	b->replies--;
	b->reply_bytes -= p->payload;
}

#endif
