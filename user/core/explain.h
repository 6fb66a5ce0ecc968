/* SPDX-License-Identifier: BSD-2-Clause */
/* One line for the person, beside the errno for the code. */
#ifndef ZDD_EXPLAIN_H
#define ZDD_EXPLAIN_H

/* Sets *error (NULL when memory is out; release with free) and returns err. */
int explain(char **error, int err, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
