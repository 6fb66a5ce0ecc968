# SPDX-License-Identifier: BSD-2-Clause
# The benchmarks' own programs, in $(B)/bench/; tools/bench runs them.
bench_dir  := tools/benchlib
bench_src  := $(wildcard $(bench_dir)/*.c)
bench_bpf  := $(filter %.bpf.c,$(bench_src))
bench_skel := $(bench_bpf:$(bench_dir)/%.bpf.c=$(B)/bench/%.skel.h)
bench_edge := $(addprefix $(B)/edge/,datapath_kernel.o datapath_memory.o)

build-lab: $(B)/bench/nsbench $(B)/bench/live

$(B)/bench/%.bpf.o: $(bench_dir)/%.bpf.c
	@mkdir -p $(@D)
	$(call quiet,BPF)$(CLANG) $(bpf_flags) -I$(bench_dir) -c $< -o $@ -MF $(@:.o=.d) -MT $@
$(B)/bench/%.skel.h: $(B)/bench/%.bpf.o
	$(call quiet,GEN)$(BPFTOOL) gen skeleton $< name $*_bpf >$@.tmp
	@mv $@.tmp $@
$(B)/bench/%.o: $(bench_dir)/%.c | $(bench_skel) $(skeleton)
	@mkdir -p $(@D)
	$(call quiet,CC)$(CC) $(c_flags) -Iuser/edge -I$(B) -I$(B)/bench $(CFLAGS) -c $< -o $@
$(B)/bench/nsbench: $(addprefix $(B)/bench/,nsbench.o rows.o scene.o flows.o frames.o memory.o) $(bench_edge) $(B)/libcore.a
	$(call quiet,LD)$(CC) $(CFLAGS) $(LDFLAGS) $^ $(call pkg_of,--libs libbpf $(core_pkgs)) -lm -o $@
$(B)/bench/live: $(B)/bench/live.o
	$(call quiet,LD)$(CC) $(CFLAGS) $(LDFLAGS) $^ $(call pkg_of,--libs libbpf) -o $@
