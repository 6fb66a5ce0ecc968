/* SPDX-License-Identifier: BSD-2-Clause */
/* The global objects of the data path: listeners, pools, backends. Plans and flows name them by
 * index, so an object keeps its index for as long as anything may know it. Found again by identity
 * in the memory itself, so a restarted daemon sees the same objects. Pure.
 *
 *   free --take--> wanted <--take-- absent since generation g --(g settled, no flow)--> free */
#ifndef ZDD_IDS_H
#define ZDD_IDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "zdd/layout.h"

enum id_kind { ID_LISTENER, ID_POOL, ID_BACKEND, ID_KINDS };

/* What makes an object the same one; only the fields of its kind count. */
struct id_key {
	struct zdd_addr addr;
	__be16 port;
	uint8_t proto;              /* listener */
	uint16_t pool;              /* backend: its pool object */
	uint8_t forward;            /* backend: enum zdd_forward */
	const char *service, *name; /* pool */
};

struct ids {
	const struct zdd_memory *memory;
	uint32_t round; /* of compiling */
	struct {
		uint32_t n, cursor;
		uint32_t *index, mask; /* open addressing: object + 1, 0 free */
		uint32_t *wanted;      /* round in which it was last wanted */
		uint64_t *absent;      /* generation since which it is not, 0: it is */
	} kind[ID_KINDS];
};

int ids_make(struct ids *, const struct zdd_memory *); /* 0, -ENOMEM */
void ids_free(struct ids *);

/* A new round of wanting begins. */
void ids_begin(struct ids *);
/* The object of this key, a free one made into it if there is none. -ENOSPC. */
int ids_take(struct ids *, enum id_kind, const struct id_key *);
/* The object of this key or -ENOENT; wants nothing. */
int ids_find(const struct ids *, enum id_kind, const struct id_key *);
bool ids_used(const struct ids *, enum id_kind, uint32_t object);
bool ids_wanted(const struct ids *, enum id_kind, uint32_t object);
/* The round became the plan of this generation: what it did not want is absent from it on. */
void ids_commit(struct ids *, uint64_t generation);
/* Frees what is absent since a generation up to settled and has no flow: flows[kind][object] == 0.
 * Returns how many. */
size_t ids_release(struct ids *, uint64_t settled, const uint32_t *const flows[ID_KINDS]);

#endif
