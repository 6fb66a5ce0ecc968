/* SPDX-License-Identifier: BSD-2-Clause */
/* A SYN that is tried again, by one CPU: what a packet case cannot bring about. */
#include "t.h"

#include "flow_node.h"

/* Two backends of mode snat. */
static void far_node(void)
{
	node_make(64, 2);
	node.services[0].flags |= ZDD_S_RETRY;
	node.sources[1] = v4(10, 0, 0, 1);
	node.hops[1].source = 1;
	for (unsigned i = 0; i < 2; i++) {
		node.backends[i].forward = ZDD_FORWARD_SNAT;
		node.backends[i].hop = 1;
	}
}

/* What retry_silent and retry_refused do, for the client's only record. */
static enum zdd_retry retry(const struct client *c, struct zdd_flow **f)
{
	static struct zdd_job j;

	*f = NULL;
	CHECK_INT(records(REGION_HALF, c, c->port, f), 1);
	job_start(&j);
	j.word = node.desk->word;
	j.seed = node.desk->flow_seed;
	j.now = (__u32)NOW();
	if (!*f || ask_for(&j, (__u32)(*f - node.flow_recs), ZDD_META_EPOCH((*f)->meta)))
		return RETRY_NOT;
	return again_locked(&j, (__u32)(*f - node.flow_recs), ZDD_META_EPOCH((*f)->meta), 0);
}

static unsigned aliases_at(__u16 port, unsigned backend)
{
	struct client seen = {.addr = node.sources[1]};
	struct zdd_flow *f = NULL;
	unsigned n = records(REGION_HALF, &seen, port, &f);

	return n && f->owner.backend == backend ? n : 0;
}

TEST(alias_moves_with_its_flow)
{
	struct client c = client_n(7, PROTO_TCP);
	struct zdd_flow *f;
	unsigned was;

	far_node();
	was = backend_in(&(struct zdd_out){.addr = from_client(&c, N_SYN, 100, 0).addr});
	CHECK_INT(retry(&c, &f), RETRY_DONE);
	CHECK_INT(f->owner.backend, !was);
	CHECK_INT(aliases_at(ntohs(f->other), !was), 1);
	CHECK_INT(taken_places(REGION_HALF), 2);
	CHECK_INT(node.pressure->waiting, 2);
	CHECK_INT(retry(&c, &f), RETRY_EXHAUSTED);
	CHECK_INT(taken_places(REGION_HALF), 2);
	node_end();
}

/* The backend answered on another CPU after it had been given up on. */
TEST(answered_flow_stays)
{
	struct client c = client_n(7, PROTO_TCP);
	struct zdd_flow *f = NULL;
	union zdd_owner owner;

	far_node();
	from_client(&c, N_SYN, 100, 0);
	records(REGION_HALF, &c, c.port, &f);
	owner = f->owner;
	f->meta |= (__u64)ZDD_F_SYNACK << 16;
	CHECK_INT(retry(&c, &f), RETRY_NOT);
	CHECK(f->owner.word == owner.word);
	CHECK_INT(aliases_at(ntohs(f->other), owner.backend), 1);
	CHECK_INT(taken_places(REGION_HALF), 2);
	CHECK_INT(node.pressure->waiting, 2);
	node_end();
}
