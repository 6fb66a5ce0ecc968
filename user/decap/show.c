/* SPDX-License-Identifier: BSD-2-Clause */
/* What is attached, and what became of the packets. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "decap.h"

static const struct {
	const char *name, *sentence;
} verdicts[] = {
#define V(symbol, name, sentence) {#name, sentence},
	DECAP_VERDICTS(V)
#undef V
};

/* "in-eth0" and "fin-eth0" name eth0; its other pins are not looked at. */
static const char *interface_of(const char *pin)
{
	if (!strncmp(pin, "in-", 3))
		return pin + 3;
	return strncmp(pin, "fin-", 4) ? NULL : pin + 4;
}

static int show_interfaces(const char *dir, DIR *links)
{
	struct dirent *entry;
	int code = EXIT_OK;

	while ((entry = readdir(links))) {
		const char *interface = interface_of(entry->d_name);

		if (!interface)
			continue;
		if (hooks_alive(dir, interface)) {
			printf("%s: attached\n", interface);
		} else {
			printf("%s: not attached any more; zdd-decap attach %s\n", interface,
			       interface);
			code = EXIT_ERROR;
		}
	}
	return code;
}

static int show_counts(const char *dir)
{
	int cpus = libbpf_num_possible_cpus(), fd;
	struct decap_counts *rows;
	char path[PATH_MAX];
	__u32 zero = 0;
	int err = -1;

	snprintf(path, sizeof(path), "%s/maps/counts", dir);
	rows = cpus > 0 ? calloc((size_t)cpus, sizeof(*rows)) : NULL;
	fd = rows ? bpf_obj_get(path) : -1;
	if (fd >= 0) {
		err = bpf_map_lookup_elem(fd, &zero, rows);
		close(fd);
	}
	for (int v = 0; v < DECAP_VERDICT_COUNT && !err; v++) {
		unsigned long long sum = 0;

		for (int cpu = 0; cpu < cpus; cpu++)
			sum += rows[cpu].verdict[v];
		printf("%-10s %14llu  %s\n", verdicts[v].name, sum, verdicts[v].sentence);
	}
	free(rows);
	return err ? complain(EXIT_ERROR, "%s: the counters cannot be read", path) : EXIT_OK;
}

int decap_show(const char *dir)
{
	char path[PATH_MAX];
	int code, counted;
	DIR *links;

	snprintf(path, sizeof(path), "%s/links", dir);
	links = opendir(path);
	if (!links && (errno == EACCES || errno == EPERM))
		return complain(EXIT_NOT_PERMITTED, "%s: looking needs root", dir);
	if (!links) {
		printf("not attached to any interface; zdd-decap attach IF\n");
		return EXIT_OK;
	}
	code = show_interfaces(dir, links);
	closedir(links);
	counted = show_counts(dir);
	return code ? code : counted;
}
