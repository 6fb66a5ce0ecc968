# SPDX-License-Identifier: BSD-2-Clause
# Test peers: `ledgerd` (server that keeps a ledger) and `loadc` (client that counts what went wrong),
# `synflood` (SYNs of forged addresses), `killer.so` (kills zddd where it stores a rollout's change).
# Works from the top Makefile (`include tests/peers/peers.mk`) and alone (`make -f tests/peers/peers.mk`).
PEERS_OUT := $(or $(B),.build)/peers
PEERS_SRC := tests/peers
PEERS_CFLAGS := -O2 -g -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Werror

.PHONY: peers build-lab
build-lab: peers
peers: $(PEERS_OUT)/ledgerd $(PEERS_OUT)/loadc $(PEERS_OUT)/synflood $(PEERS_OUT)/killer.so

$(PEERS_OUT)/ledgerd: $(addprefix $(PEERS_SRC)/,ledgerd.c ledgerd_conn.c ledgerd_mood.c ledger.c peer.c)
$(PEERS_OUT)/loadc: $(addprefix $(PEERS_SRC)/,loadc.c load_opts.c load_flow.c load_stats.c peer.c)

$(PEERS_OUT)/synflood: $(addprefix $(PEERS_SRC)/,synflood.c peer.c)

$(PEERS_OUT)/ledgerd $(PEERS_OUT)/loadc $(PEERS_OUT)/synflood: $(wildcard $(PEERS_SRC)/*.h)
	@mkdir -p $(@D)
	$(CC) $(PEERS_CFLAGS) -o $@ $(filter %.c,$^)

$(PEERS_OUT)/killer.so: $(PEERS_SRC)/killer.c
	@mkdir -p $(@D)
	$(CC) $(PEERS_CFLAGS) -shared -fPIC -o $@ $<
