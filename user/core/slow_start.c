/* SPDX-License-Identifier: BSD-2-Clause */
#include "slow_start.h"

enum { STEPS = SLOW_START_WHOLE - 1 };

unsigned slow_start_level(uint64_t passed_ms, uint32_t time_ms)
{
	if (passed_ms >= time_ms)
		return SLOW_START_WHOLE;
	return 1 + (unsigned)(passed_ms * STEPS / time_ms);
}

/* When it reaches a level, after it began. */
static uint64_t reached_ms(unsigned level, uint32_t time_ms)
{
	return ((uint64_t)(level - 1) * time_ms + STEPS - 1) / STEPS;
}

bool slow_start_rises(const struct slow_start *s)
{
	return s->level && s->level < SLOW_START_WHOLE;
}

unsigned slow_start_percent(const struct slow_start *s)
{
	return s->level * 100u / SLOW_START_WHOLE;
}

void slow_start_anchor(struct slow_start *s, uint32_t time_ms, uint64_t now_ms)
{
	if (slow_start_rises(s) && (!s->began_ms || s->began_ms > now_ms))
		s->began_ms = now_ms - reached_ms(s->level, time_ms);
}

bool slow_start_pass(struct slow_start *s, uint32_t time_ms, uint64_t now_ms)
{
	unsigned level;

	if (!slow_start_rises(s))
		return false;
	slow_start_anchor(s, time_ms, now_ms);
	level = slow_start_level(now_ms - s->began_ms, time_ms);
	if (level <= s->level)
		return false;
	s->level = (uint8_t)level;
	return true;
}
