/* SPDX-License-Identifier: BSD-2-Clause */
/* systemd's readiness protocol: datagrams to NOTIFY_SOCKET. Without one, all do nothing. */
#ifndef ZDD_NOTIFY_H
#define ZDD_NOTIFY_H

#include <stdint.h>

void notify_ready(void);
void notify_reloading(void);
void notify_stopping(void);
void notify_watchdog(void);
void notify_status(const char *text);
/* How often notify_watchdog is wanted, milliseconds; 0: not at all. */
uint64_t notify_watchdog_ms(void);

#endif
