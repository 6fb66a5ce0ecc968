/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside zdd-decap: one command, nothing stays in user space.
 *
 *   DIR/maps/NAME    counters and what was learned, shared by all interfaces
 *   DIR/links/in-IF  what is attached: tcx links, or programs of clsact filters (fin-IF)
 *                    before Linux 6.6; `out` likewise */
#ifndef ZDD_USER_DECAP_H
#define ZDD_USER_DECAP_H

#include <stdbool.h>

#include "zdd/decap.h"

#define DECAP_DIR "/sys/fs/bpf/zdd-decap"

/* Exit codes as zddctl's. */
enum decap_exit { EXIT_OK, EXIT_ERROR, EXIT_USAGE, EXIT_ABSENT, EXIT_NOT_PERMITTED = 6 };

/* One line on standard error; returns code. */
int complain(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Each does its part for one interface and returns an exit code. */
int decap_attach(const char *dir, const char *interface, const struct decap_settings *);
int decap_detach(const char *dir, const char *interface);
int decap_show(const char *dir);

/* hooks.c, for show.c: true when both sides of the interface are in place. */
bool hooks_alive(const char *dir, const char *interface);

#endif
