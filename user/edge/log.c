/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "log.h"

static bool verbose;

void log_verbose(void)
{
	verbose = true;
}

/* One write per line, so that lines of threads and children never mix. The prefix is systemd's. */
void log_line(enum log_level level, const char *format, ...)
{
	char line[1024];
	va_list args;
	int at = 0, n;

	if (level == LOG_LEVEL_DEBUG && !verbose)
		return;
	at = isatty(STDERR_FILENO) ? snprintf(line, sizeof(line), "zddd: ")
				   : snprintf(line, sizeof(line), "<%d>", level);
	va_start(args, format);
	n = vsnprintf(line + at, sizeof(line) - (size_t)at - 1, format, args);
	va_end(args);
	if (n < 0)
		return;
	at += n;
	if (at > (int)sizeof(line) - 2)
		at = (int)sizeof(line) - 2;
	line[at++] = '\n';
	if (write(STDERR_FILENO, line, (size_t)at) < 0)
		return; /* nobody is left to tell */
}
