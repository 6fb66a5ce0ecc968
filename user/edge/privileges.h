/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef ZDD_PRIVILEGES_H
#define ZDD_PRIVILEGES_H

#include <stdbool.h>

/* Keeps the capabilities that publishing and attaching need, and with become those to start programs
 * as other users and to end them; drops the others for good. Programs that are started later get none.
 * Before any thread is there. 0 or negative errno. */
int privileges_drop(bool become);
/* Whether programs can be started as other users. */
bool privileges_may_become(void);

#endif
