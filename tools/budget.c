/* SPDX-License-Identifier: BSD-2-Clause */
/* Loads each program of a BPF object, nothing is attached or pinned, and prints one line each:
 * name, instructions the verifier walked, jited bytes. Of a refused one it prints the end of the
 * verifier's log. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Log levels of the verifier. */
#define LOG_SUMMARY 4
#define LOG_WALK 1

/* An old kernel (before 6.4) keeps the beginning of a log that is too long, and gives up. */
#define LOG_SIZE (64 << 20)
#define TAIL_LINES 30

static int say_errors(enum libbpf_print_level level, const char *format, va_list args)
{
	return level == LIBBPF_WARN ? vfprintf(stderr, format, args) : 0;
}

static int say_nothing(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level, (void)format, (void)args;
	return 0;
}

/* Maps are as small as can be: the verifier does not care, and the pinned ones stay alone. Storage beside
 * sockets has no size. */
static int shrink_maps(struct bpf_object *object)
{
	struct bpf_map *map;
	int err = 0;

	bpf_object__for_each_map(map, object) {
		bpf_map__set_pin_path(map, NULL);
		if (!bpf_map__max_entries(map) && !bpf_map__is_internal(map) &&
		    bpf_map__type(map) != BPF_MAP_TYPE_SK_STORAGE)
			err = err ? err : bpf_map__set_max_entries(map, 1);
	}
	return err;
}

/* Programs are loaded one after the other: one buffer for all has the log of the last. */
static void keep_log(struct bpf_object *object, int level, char *log)
{
	struct bpf_program *program;

	bpf_object__for_each_program(program, object) {
		bpf_program__set_log_level(program, level);
		bpf_program__set_log_buf(program, log, LOG_SIZE);
		bpf_program__set_autoload(program, true);
	}
}

/* NULL: it does not load, errno says why. */
static struct bpf_object *load(const char *path, int level, char *log)
{
	struct bpf_object *object = bpf_object__open_file(path, NULL);
	int err;

	if (!object)
		return NULL;
	err = shrink_maps(object);
	keep_log(object, level, log);
	err = err ? err : bpf_object__load(object);
	if (!err)
		return object;
	bpf_object__close(object);
	errno = -err;
	return NULL;
}

/* Again, and with every instruction on the way to the one that is refused. */
static void explain(const char *path, char *log)
{
	struct bpf_object *object;
	const char *tail;
	int lines = 0;

	libbpf_set_print(say_errors);
	object = load(path, LOG_WALK, log);
	fprintf(stderr, "budget: %s does not load: %s\n", path, strerror(errno));
	bpf_object__close(object);
	for (tail = log + strlen(log); tail > log && lines <= TAIL_LINES; tail--)
		lines += tail[-1] == '\n';
	fputs(lines > TAIL_LINES ? tail + 1 : tail, stderr);
}

static int print_program(const struct bpf_program *program)
{
	struct bpf_prog_info info = {0};
	__u32 size = sizeof(info);
	int err;

	err = bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size);
	if (!err)
		printf("%s %u %u\n", bpf_program__name(program), info.verified_insns,
		       info.jited_prog_len);
	return err;
}

int main(int argc, char **argv)
{
	struct bpf_object *object;
	struct bpf_program *program;
	char *log = calloc(1, LOG_SIZE);
	int err = 0;

	if (argc != 2 || !log)
		return 2;
	libbpf_set_print(say_nothing);
	object = load(argv[1], LOG_SUMMARY, log);
	if (!object) {
		explain(argv[1], log);
		return 1;
	}
	bpf_object__for_each_program(program, object)
		err = err ? err : print_program(program);
	return err != 0; /* the process ends here: so do its programs and maps */
}
