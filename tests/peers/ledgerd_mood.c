// SPDX-License-Identifier: BSD-2-Clause
#include "ledgerd_mood.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "peer.h"

#define FRESH_NS (50 * NSEC_PER_MSEC)

static void take_word(struct mood *m, const char *word, double value)
{
	if (!strcmp(word, "reset"))
		m->reset = value;
	else if (!strcmp(word, "empty"))
		m->empty = value;
	else if (!strcmp(word, "status"))
		m->status = value;
	else if (!strcmp(word, "delay"))
		m->delay_ns = (uint64_t)(value * NSEC_PER_MSEC);
	else
		die("mood: '%s' is no word of it", word);
}

static struct mood read_mood(const char *path)
{
	FILE *file = fopen(path, "r");
	struct mood m = {0};
	char word[32];
	double value;

	while (file && fscanf(file, "%31s %lf", word, &value) == 2)
		take_word(&m, word, value);
	if (file)
		fclose(file);
	return m;
}

const struct mood *mood_now(const char *path)
{
	static struct mood mood;
	static uint64_t read_ns;
	uint64_t now = path ? now_ns() : 0;

	if (path && now - read_ns > FRESH_NS) {
		mood = read_mood(path);
		read_ns = now;
	}
	return &mood;
}

bool mood_strikes(double p)
{
	return p > 0 && drand48() < p;
}
