# SPDX-License-Identifier: BSD-2-Clause
# `make help` lists the targets. Variables: PREFIX DESTDIR CC CLANG CFLAGS WERROR=1 B (build
# directory).

SHELL := /bin/bash
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:

B       ?= .build
PREFIX  ?= /usr/local
CLANG   ?= clang
BPFTOOL ?= $(firstword $(shell command -v bpftool /usr/sbin/bpftool))
CFLAGS  ?= -O2 -g

packages := libbpf libelf zlib libuv yaml-0.1 jansson libcurl libmnl libcap-ng libmicrohttpd \
            sqlite3 smartcols
pkg_of    = $(shell pkg-config $(1) 2>/dev/null)
core_pkgs = yaml-0.1 jansson

arch_x86_64  := x86
arch_aarch64 := arm64
machine      := $(shell uname -m)

# A table row may leave its last columns empty.
warnings := -Wall -Wextra -Wno-missing-field-initializers -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
            $(if $(WERROR),-Werror)
c_flags   = -std=gnu11 -D_GNU_SOURCE -MMD -MP $(warnings) -Iinclude -Iuser/core
# No vmlinux.h and no BTF of the running kernel: what is read of the kernel is declared in bpf/
# and relocated at load time.
bpf_flags = -target bpf -mcpu=v3 -O2 -g -MMD -MP $(filter-out -Wmissing-prototypes,$(warnings)) \
            -Ibpf -Iinclude -D__TARGET_ARCH_$(arch_$(machine)) \
            -idirafter /usr/include/$(machine)-linux-gnu
# What the tests add: the packet code compiled natively.
native    = -DZDD_NATIVE -Ibpf -Iinclude -Iuser/core -Itests/unit
sanitize  = -O1 -g -fno-omit-frame-pointer -fno-sanitize-recover=all -fsanitize=address,undefined

core_src := $(wildcard user/core/*.c)
edge_src := $(wildcard user/edge/*.c)
ctl_src  := $(wildcard user/ctl/*.c)
decap_src := $(wildcard user/decap/*.c)
bpf_src  := $(wildcard bpf/*.bpf.c)
unit_src := $(wildcard tests/unit/test_*.c)
fuzz_src := $(wildcard tests/fuzz/fuzz_*.c)
skeleton := $(bpf_src:bpf/%.bpf.c=$(B)/%.skel.h)
programs := $(if $(edge_src),$(B)/zddd) $(if $(ctl_src),$(B)/zddctl $(B)/zddctl.bash) $(B)/zdd-decap

# `make X` for people: checks the packages and lets one make at a time into the build directory,
# then `make build-X`, which does the work.
lock_and_make = +@$(need); mkdir -p $(B) && flock $(B)/.lock $(MAKE) --no-print-directory
need = lost=$$(tools/deps --check) || true; \
       pkg-config --exists $(packages) 2>/dev/null && command -v $(CLANG) "$(BPFTOOL)" >/dev/null || \
       { echo "make: packages are missing: $$lost; as root, tools/deps installs them" >&2; exit 1; }

all: ## zddd, zddctl and the BPF object, in .build/
	$(lock_and_make) build-all

lab-ready: # what demo and benchmarks run
	$(lock_and_make) build-lab
tests-ready: # what tools/test runs; builds what it can, fails when not all
	$(lock_and_make) --keep-going build-lab build-unit build-fuzz

build-all: $(programs) $(B)/libcore.a $(skeleton)

# One word a step; `make V=1` shows the commands.
quiet = $(if $(V),,@printf '  %-5s %s\n' $(1) $@;)

# The same core three ways: for the programs, for the unit tests, for the fuzzers.
define core_variant
$(1)/core/%.o: user/core/%.c
	@mkdir -p $$(@D)
	$$(call quiet,CC)$(2) $(c_flags) $$(call pkg_of,--cflags $(core_pkgs)) $(3) -c $$< -o $$@
$(1)/libcore.a: $(core_src:user/core/%.c=$(1)/core/%.o)
	@mkdir -p $$(@D)
	@rm -f $$@
	$$(call quiet,AR)ar rcs $$@ $$^
endef
$(eval $(call core_variant,$(B),$$(CC),$$(CFLAGS)))
$(eval $(call core_variant,$(B)/san,$$(CC),$$(sanitize)))
$(eval $(call core_variant,$(B)/fuzz,$$(CLANG),$$(sanitize) -fsanitize=fuzzer-no-link))

$(B)/edge/%.o: user/edge/%.c | $(skeleton)
	@mkdir -p $(@D)
	$(call quiet,CC)$(CC) $(c_flags) $(call pkg_of,--cflags $(packages)) $(CFLAGS) -I$(B) -c $< -o $@
$(B)/ctl/%.o: user/ctl/%.c
	@mkdir -p $(@D)
	$(call quiet,CC)$(CC) $(c_flags) $(call pkg_of,--cflags libcurl jansson smartcols) $(CFLAGS) -c $< -o $@

$(B)/zddd: $(edge_src:user/%.c=$(B)/%.o) $(B)/libcore.a
	$(call quiet,LD)$(CC) $(CFLAGS) $(LDFLAGS) $^ $(call pkg_of,--libs $(filter-out smartcols,$(packages))) -lm -o $@
$(B)/zddctl: $(ctl_src:user/%.c=$(B)/%.o) $(B)/libcore.a
	$(call quiet,LD)$(CC) $(CFLAGS) $(LDFLAGS) $^ $(call pkg_of,--libs libcurl smartcols $(core_pkgs)) -lm -o $@

$(B)/decap/%.o: user/decap/%.c | $(skeleton)
	@mkdir -p $(@D)
	$(call quiet,CC)$(CC) $(c_flags) $(call pkg_of,--cflags libbpf) $(CFLAGS) -I$(B) -c $< -o $@
$(B)/zdd-decap: $(decap_src:user/%.c=$(B)/%.o) $(B)/libcore.a
	$(call quiet,LD)$(CC) $(CFLAGS) $(LDFLAGS) $^ $(call pkg_of,--libs libbpf $(core_pkgs)) -lm -o $@

$(B)/zddctl.bash: $(B)/zddctl
	$(call quiet,GEN)$< --completion bash >$@

# -g is for BTF; the DWARF beside it is not carried along.
$(B)/%.bpf.o: bpf/%.bpf.c
	@mkdir -p $(@D)
	$(call quiet,BPF)$(CLANG) $(bpf_flags) -c $< -o $@.tmp -MF $(@:.o=.d) -MT $@
	$(call quiet,STRIP)llvm-strip -g $@.tmp
	@mv $@.tmp $@
$(B)/%.skel.h: $(B)/%.bpf.o
	$(call quiet,GEN)$(BPFTOOL) gen skeleton $< name $*_bpf >$@.tmp
	@mv $@.tmp $@

# --- tests and checks

unit_bin := $(unit_src:tests/unit/%.c=$(B)/unit/%)
fuzz_bin := $(fuzz_src:tests/fuzz/%.c=$(B)/fuzz/%)

# A directory of tests or tools that builds more brings a .mk file, which adds to build-lab or
# build-unit.
include $(wildcard tests/*/*.mk tools/*/*.mk)
build-lab: build-all
build-unit: $(unit_bin)
build-fuzz: $(fuzz_bin)

$(B)/unit/%: tests/unit/%.c $(B)/san/libcore.a
	@mkdir -p $(@D)
	$(call quiet,CC)$(CC) $(c_flags) $(native) $(sanitize) $< $(B)/san/libcore.a \
		$(call pkg_of,--cflags --libs $(core_pkgs)) -lm -MF $@.d -MT $@ -o $@
$(B)/fuzz/%: tests/fuzz/%.c $(B)/fuzz/libcore.a
	@mkdir -p $(@D)
	$(call quiet,CC)$(CLANG) $(c_flags) $(native) $(sanitize) -fsanitize=fuzzer $< $(B)/fuzz/libcore.a \
		$(call pkg_of,--cflags --libs $(core_pkgs)) -lm -MF $@.d -MT $@ -o $@

# Loads every program and prints what the verifier says; see tools/budget.
build-budget: $(B)/budget $(B)/zdd.bpf.o
$(B)/budget: tools/budget.c
	@mkdir -p $(@D)
	$(call quiet,CC)$(CC) $(c_flags) $(CFLAGS) $< $(call pkg_of,--cflags --libs libbpf) -MF $@.d -MT $@ -o $@

deps: ## install the Debian packages that are missing (root)
	@tools/deps
test: deps ## all tests (root); ends with "N passed, N failed, N skipped"
	@tools/test
unit packet fuzz model lab: deps ## one kind of test (lab, packet: root)
	@tools/test $@
vm: ## programs, packets, demo, some labs under Debian's kernel 6.1, emulated: 20 minutes (root)
	@tools/deps --vm
	@tools/test vm
demo: deps ## two versions of a web service flipped under load (root)
	@$(MAKE) --no-print-directory lab-ready
	@tools/demo
bench: deps ## benchmarks of DESIGN's promises, as a table and JSON (root)
	@$(MAKE) --no-print-directory lab-ready
	@tools/bench
icount: deps ## instructions per packet, counted under an emulated kernel 6.12, as a gate: 5 minutes (root)
	@tools/deps --vm
	@$(MAKE) --no-print-directory lab-ready
	@tools/icount
mutants: deps ## sabotage the code line by line: each mutant must turn a test red (root)
	@tools/mutants
check: deps ## format, gcc and clang warnings, cppcheck, layers, verifier budget
	@tools/check

# --- installation: one list of mode:file:place for both directions

unit_dir  = lib/systemd/system
man_pages = $(foreach page,$(wildcard docs/man/*.[158]),\
              0644:$(page):share/man/man$(subst .,,$(suffix $(page)))/$(notdir $(page)))
schemas   = $(foreach schema,$(wildcard docs/schema/*.json),\
              0644:$(schema):share/doc/zdd/schema/$(notdir $(schema)))
installed = 0755:$(B)/zddd:sbin/zddd 0755:$(B)/zddctl:bin/zddctl \
            0755:$(B)/zdd-decap:sbin/zdd-decap \
            0644:$(B)/zddd.service:$(unit_dir)/zddd.service \
            0644:$(B)/zddctl.bash:share/bash-completion/completions/zddctl \
            0644:tools/zdd.yaml.example:share/doc/zdd/zdd.yaml.example \
            0644:README.md:share/doc/zdd/README.md 0644:LICENSE:share/doc/zdd/LICENSE $(man_pages) \
            $(schemas)

install: all ## into PREFIX (/usr/local), below DESTDIR; systemd unit and man pages included
	@sed 's,@PREFIX@,$(PREFIX),' tools/zddd.service >$(B)/zddd.service
	@set -e; for entry in $(installed); do \
		IFS=: read -r mode file place <<< "$$entry"; \
		install -D -m "$$mode" "$$file" "$(DESTDIR)$(PREFIX)/$$place"; \
		echo "$(DESTDIR)$(PREFIX)/$$place"; \
	done
uninstall: ## take away what install put there; configuration and state stay
	@for entry in $(installed); do \
		rm -fv "$(DESTDIR)$(PREFIX)/$${entry##*:}"; \
	done
	@rmdir "$(DESTDIR)$(PREFIX)/share/doc/zdd" 2>/dev/null || true
clean: ## remove .build/
	rm -rf $(B)
help: ## this list
	@sed -n 's/^\([a-z][a-z ]*\):[^#]*## \(.*\)/\1\t\2/p' Makefile | \
		while IFS=$$'\t' read -r name text; do printf '%-28s %s\n' "$$name" "$$text"; done

.PHONY: all lab-ready tests-ready build-all build-lab build-unit build-fuzz build-budget deps \
        test unit packet fuzz model lab vm demo bench icount mutants check install uninstall clean help
-include $(shell find $(B) -name '*.d' 2>/dev/null)
