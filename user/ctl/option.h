/* SPDX-License-Identifier: BSD-2-Clause */
/* One row per option; only for options.c, which reads command lines by it, and option_table.c. */
#ifndef ZDD_OPTION_H
#define ZDD_OPTION_H

#include "ctl.h"

enum option_kind { KIND_FLAG, KIND_TEXT, KIND_NUMBER, KIND_DURATION, KIND_OUTPUT };

struct option {
	unsigned bit;
	char key;          /* 0: only the long form */
	const char *name;  /* NULL: only the short form */
	const char *value; /* what follows, as help and messages call it; NULL: a flag */
	enum option_kind kind;
	size_t offset; /* in struct options */
	const char *help;
};

enum { OPTIONS_MAX = 48 };

extern const struct option option_table[];
extern const size_t n_options; /* at most OPTIONS_MAX */

#endif
