/* SPDX-License-Identifier: BSD-2-Clause */
/* Loads each program of a BPF object, nothing is attached or pinned, and prints one line each:
 * name, instructions the verifier walked, deepest stack in bytes, jited bytes. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VERIFIER_STATS 4 /* log level: the summary alone */
#define LOG_SIZE 65536

static int say_errors(enum libbpf_print_level level, const char *format, va_list args)
{
	return level == LIBBPF_WARN ? vfprintf(stderr, format, args) : 0;
}

/* Maps are as small as can be: the verifier does not care, and the pinned ones stay alone. */
static int shrink_maps(struct bpf_object *object)
{
	struct bpf_map *map;
	int err = 0;

	bpf_object__for_each_map(map, object) {
		bpf_map__set_pin_path(map, NULL);
		if (!bpf_map__max_entries(map) && !bpf_map__is_internal(map))
			err = err ? err : bpf_map__set_max_entries(map, 1);
	}
	return err;
}

static int keep_logs(struct bpf_object *object)
{
	struct bpf_program *program;

	bpf_object__for_each_program(program, object) {
		char *log = calloc(1, LOG_SIZE);

		if (!log)
			return -ENOMEM;
		bpf_program__set_log_level(program, VERIFIER_STATS);
		bpf_program__set_log_buf(program, log, LOG_SIZE);
		bpf_program__set_autoload(program, true);
	}
	return 0;
}

/* "stack depth 120+0+64": one number per subprogram */
static unsigned deepest_stack(const char *log)
{
	const char *found = strstr(log, "stack depth ");
	unsigned deepest = 0;
	char *at;

	if (!found)
		return 0;
	at = (char *)found + strlen("stack depth");
	do {
		unsigned depth = strtoul(at + 1, &at, 10);

		deepest = depth > deepest ? depth : deepest;
	} while (*at == '+');
	return deepest;
}

static int print_program(const struct bpf_program *program)
{
	struct bpf_prog_info info = {0};
	__u32 size = sizeof(info);
	size_t log_size;
	int err;

	err = bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size);
	if (err)
		return err;
	printf("%s %u %u %u\n", bpf_program__name(program), info.verified_insns,
	       deepest_stack(bpf_program__log_buf(program, &log_size)), info.jited_prog_len);
	return 0;
}

int main(int argc, char **argv)
{
	struct bpf_object *object;
	struct bpf_program *program;
	int err;

	if (argc != 2)
		return 2;
	libbpf_set_print(say_errors);
	object = bpf_object__open_file(argv[1], NULL);
	if (!object)
		return 1;
	err = shrink_maps(object);
	err = err ? err : keep_logs(object);
	err = err ? err : bpf_object__load(object);
	if (err)
		fprintf(stderr, "budget: %s does not load: %s\n", argv[1], strerror(-err));
	else
		bpf_object__for_each_program(program, object)
			err = err ? err : print_program(program);
	return err != 0; /* the process ends here: so do its programs and maps */
}
