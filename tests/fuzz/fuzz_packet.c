/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames through the brain and the frame code, natively. An input is a sequence of frames on one
 * node: a control byte and a length byte or two before each. */
#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "lookup.h"
#include "quote.h"

/* The node of the packet cases. */
#include "../packet/engine.h"
#include "../packet/engine.c"
#include "../packet/craft.c"
#include "../packet/site.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

enum { EGRESS = 1, XDP = 2, DECREMENT = 4, AGE = 8 };

static struct zdd_memory memory = {.geometry = &engine_geometry};
static struct site site;
static bool memo_used; /* it is large: cleared when it must be */

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const struct zdd_geometry *g = &engine_geometry;

	(void)argc;
	(void)argv;
#define M(name, type, count) memory.name = calloc((size_t)(count), sizeof(type));
	ZDD_MEMORY(M)
#undef M
	site_make(&site, &memory, 7);
	native_use(&memory);
	return 0;
}

static void must_hold(bool held)
{
	if (!held)
		abort();
}

/* Checks after the frame code: what it may write are two headers, what was right stays right. */
static void check_sent(const struct zdd_packet *p, const uint8_t *before, const uint8_t *after,
		       size_t n, bool partial)
{
	enum sums was = frame_sums(before, n), is = frame_sums(after, n);
	size_t header = check_offset(p) + 2u;

	must_hold(!memcmp(before, after, p->l3));
	must_hold(!memcmp(before + header, after + header, n - header));
	if (was == SUMS_GOOD || (partial && was == SUMS_BAD_L4))
		must_hold(is == SUMS_GOOD);
	must_hold((was == SUMS_NONE) == (is == SUMS_NONE));
}

/* Returns whether the checksum was partial. */
static bool rewrite_one(const struct zdd_job *j, unsigned control, uint8_t *at, size_t n)
{
	struct zdd_rewrite r = {.addr = &j->out.addr,
				.port = j->out.port,
				.other = j->out.other,
				.source = j->out.action == ACT_TO_CLIENT,
				.decrement = control & DECREMENT && j->p.ttl > 1};
	bool partial = control & XDP && is_partial(at, at + n, &j->p);

	must_hold(!write_rewrite(at, at + n, &j->p, &r, partial ? CSUM_PARTIAL : CSUM_WHOLE));
	if (partial)
		must_hold(!write_whole(at, at + n, check_offset(&j->p),
				       csum_fold(sum_segment(at + j->p.l4, at + n, j->p.segment))));
	return partial;
}

/* As the programs do it. */
static bool look_at(struct zdd_job *j, uint8_t *at, size_t n)
{
	enum zdd_parsed parsed = parse_frame(at, at + n, &j->p);

	if (parsed == PARSED_L4 && is_syn(&j->p))
		read_syn(at, at + n, &j->p, &j->syn);
	if (parsed == PARSED_FRAGMENT) {
		lookup_fragment(j);
		return true;
	}
	if (parsed != PARSED_ERROR) {
		lookup(NULL, parsed, j);
		return false;
	}
	if (parse_quote(at, at + n, &j->p, &j->quote))
		end_pass(&j->out, ZDD_V_NOT_L4);
	else
		lookup_error(j);
	if (j->refused)
		retry_refused(j);
	return true;
}

/* An error is changed within its IP packet only, and its checksum stays right. */
static void error_one(const struct zdd_job *j, const uint8_t *before, uint8_t *at, size_t n)
{
	struct zdd_rewrite r = {.addr = &j->out.addr,
				.port = j->out.port,
				.other = j->out.other,
				.source = j->out.action == ACT_TO_CLIENT,
				.decrement = j->p.ttl > 1};
	size_t end = j->p.l4 + j->p.segment;

	if (!j->quote.proto) /* a later fragment: its IP header alone changes */
		end = j->p.l3 + (j->p.v6 ? 40u : 20u);
	must_hold(!write_error(at, at + n, &j->p, &j->quote, &r));
	must_hold(!memcmp(before, at, j->p.l3));
	must_hold(!memcmp(before + end, at + end, n - end));
	must_hold((frame_sums(before, n) == SUMS_GOOD) == (frame_sums(at, n) == SUMS_GOOD));
}

/* What is made of a stored SYN is whole, and exactly as long as said. */
static void check_segment(const struct zdd_segment *s)
{
	static const uint8_t ethernet[] = {[12] = 8, 0}, ethernet6[] = {[12] = 0x86, 0xdd};
	size_t n = 14 + segment_bytes(s);
	uint8_t *block = malloc(n + 2), *at = block + 2;

	must_hold(block && s->words <= SEGMENT_OPTIONS);
	memcpy(at, s->v6 ? ethernet6 : ethernet, 14);
	must_hold(!write_segment(at + 14, at + n, s, CSUM_WHOLE));
	must_hold(frame_sums(at, n) == SUMS_GOOD);
	free(block);
}

/* Drivers place frames at 2 mod 4; nothing behind the last byte may be touched. */
static void one_frame(const uint8_t *bytes, size_t n, unsigned control)
{
	uint8_t *block = malloc(n + 2), *at = block + 2;
	struct zdd_job j = {.out = {.action = ACT_PASS}};
	bool error, sent;

	must_hold(block);
	memcpy(at, bytes, n);
	job_start(&j);
	j.p.frame = (uint32_t)n;
	j.p.ifindex = 1;
	j.p.egress = control & EGRESS;
	error = look_at(&j, at, n);
	must_hold(j.out.verdict < ZDD_VERDICT_COUNT);
	memo_used |= j.out.verdict == ZDD_V_STRAY_FORWARDED || j.out.verdict == ZDD_V_TABLE_FULL;
	must_hold(!memcmp(at, bytes, n));
	sent = j.out.action == ACT_TO_BACKEND || j.out.action == ACT_TO_CLIENT;
	if (sent && error)
		error_one(&j, bytes, at, n);
	else if (sent)
		check_sent(&j.p, bytes, at, n, rewrite_one(&j, control, at, n));
	if (j.out.action == ACT_SYN || j.out.action == ACT_RESET)
		check_segment(&j.segment);
	free(block);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	site_clear_flows(&site);
	if (memo_used)
		memset(memory.memo, 0, ZDD_MEMO_SETS * sizeof(struct zdd_memo_set));
	memo_used = false;
	while (size >= 3) {
		unsigned control = data[0];
		size_t n = (size_t)data[1] << 8 | data[2];

		data += 3;
		size -= 3;
		if (n > size)
			n = size;
		if (control & AGE)
			native_now += 40 * (uint64_t)geometry.hz;
		one_frame(data, n, control);
		data += n;
		size -= n;
	}
	return 0;
}
