# SPDX-License-Identifier: BSD-2-Clause
# The packet cases: tests/packet/run. The engines' C files see bpf/ or the skeleton, not both.
PACKET_OBJ := $(patsubst tests/packet/%.c,$(B)/packet/%.o,$(wildcard tests/packet/*.c))
PACKET_FLAGS = $(c_flags) $(sanitize) -fno-strict-aliasing -Itests/packet

build-unit: $(B)/packet/packets
$(B)/packet/native_engine.o: PACKET_FLAGS += -DZDD_NATIVE -Ibpf
$(B)/packet/kernel_engine.o: PACKET_FLAGS += -I$(B)
$(B)/packet/kernel_engine.o: $(skeleton)
$(B)/packet/%.o: tests/packet/%.c
	@mkdir -p $(@D)
	$(call quiet,CC)$(CC) $(PACKET_FLAGS) -c $< -o $@
$(B)/packet/packets: $(PACKET_OBJ) $(B)/san/libcore.a
	$(call quiet,LD)$(CC) $(sanitize) $^ $(call pkg_of,--libs libbpf $(core_pkgs)) -lm -o $@
