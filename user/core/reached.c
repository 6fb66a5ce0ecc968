/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>
#include <string.h>

#include "reached.h"
#include "txn.h"

static bool is_admin_word(const char *word)
{
	for (int i = ADMIN_READY; i <= ADMIN_MAINT; i++)
		if (!strcmp(word, admin_state_words[i]))
			return true;
	return false;
}

/* "blue/10.0.1.11:8080 ready" is of a backend; NULL: it is of something else. */
static const struct world_backend *backend_of(const struct world_service *s, const char *from)
{
	char place[512], *slash, *word;
	const struct world_pool *p;

	snprintf(place, sizeof(place), "%s", from);
	slash = strchr(place, '/');
	word = strrchr(place, ' ');
	if (!slash || !word || word < slash || !is_admin_word(word + 1))
		return NULL;
	*slash = *word = '\0';
	p = world_find_pool(s, place);
	return p ? world_find_backend(p, slash + 1) : NULL;
}

bool change_reached(const struct world_service *s, const char *from, const char *to, bool file_lost)
{
	const struct world_backend *b;
	char text[256];

	if (!strcmp(to, "removed"))
		return !s;
	if (!s)
		return false;
	if (!strcmp(to, "changed"))
		return !file_lost;
	b = backend_of(s, from);
	if (b)
		return !strcmp(to, admin_state_words[b->admin]);
	shares_text(s, s->share, text, sizeof(text));
	return !strcmp(to, text);
}
