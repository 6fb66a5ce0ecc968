/* SPDX-License-Identifier: BSD-2-Clause */
/* What mode snat shows the backends. */
#include <string.h>

#include "draft.h"
#include "sources.h"

int plan_snat(struct draft *d)
{
	const struct cfg_snat *cfg = &d->world->config->snat;
	struct zdd_snat *out = &d->memory->snat[d->slot];

	memset(out, 0, sizeof(*out));
	out->port = cfg->port_first;
	out->n_ports = (uint16_t)(cfg->port_last - cfg->port_first + 1);
	for (size_t i = 0; i < cfg->n_addresses; i++) {
		unsigned v6 = !zdd_addr_is_v4(&cfg->addresses[i].addr);
		uint16_t source = source_take(d->memory, &cfg->addresses[i].addr);

		if (!source)
			return draft_full(d, "source addresses", ZDD_SOURCES - 1);
		out->source[v6][out->n[v6]++] = source;
	}
	return 0;
}
